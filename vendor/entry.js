// What the page uses of its libraries, in one file: `make vendor` bundles it into preact.js.
import htm from "htm";
import { h } from "preact";

export { Fragment, createContext, h, render } from "preact";
export { useContext, useEffect, useId, useLayoutEffect, useMemo, useRef } from "preact/hooks";
export { batch, computed, effect, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export const html = htm.bind(h);
