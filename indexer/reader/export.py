"""A question-answering model, found and turned into the folder that an index carries."""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from indexer import encoder, storage
from indexer.apart import apart
from indexer.errors import EncoderError
from indexer.reader.facts import (
    ANSWERABLE,
    FACTS,
    FILES,
    GRAPH,
    IDS,
    MASK,
    SPANS,
    TOKENIZER,
    TYPES,
    WEIGHTS,
    WINDOW,
    Facts,
)
from indexer.reader.reader import Reader

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

NONE, BUNDLED = "none", "bundled"
_BUNDLED = Path(__file__).parent / "bundled"
_PUBLISHED = "a9c997d7b0261b7880e7669509adbc1c293d377268be11b0f7969b403fbec612"  # SHA-256 of its weights
_FORMAT = b"dateline reader 1\n"  # goes into every fingerprint: a new export is a new reader
_MULTIPLE = 16  # tokens; windows are filled up to one
_MOST_OFF = 0.02  # of the largest logit, by which an export may differ from the original
_QUESTION = "How many metres of the wall gave way?"
_PASSAGE = (
    "The wall gave way over a length of about 40 metres shortly before one in the morning, when the tide "
    "stood 2.9 metres above datum, the highest level since the gauge was installed."
)


def locate(name: str) -> Path:
    """The folder of a reader: that which the package brings along, one that is ready, or a question-answering
    model of transformers, a path or a copy from the Hugging Face hub.

    Raises EncoderError where there is no such model, or the package's weights are not those it was published
    with.
    """
    if name == BUNDLED:
        found = _sha256(_BUNDLED / WEIGHTS)
        if found != _PUBLISHED:
            raise EncoderError(
                f"{_BUNDLED / WEIGHTS}: has the checksum {found}, not {_PUBLISHED}; reinstall dateline"
            )
        return _BUNDLED
    folder = Path(name).expanduser()
    return folder if _is_ready(folder) else encoder.locate(name)


def fingerprint(folder: Path) -> str:
    """Identifies a reader by its files."""
    if _is_ready(folder):
        files = " ".join(_sha256(folder / file) for file in (*FILES, FACTS))
        return hashlib.sha256(_FORMAT + files.encode()).hexdigest()
    return hashlib.sha256(_FORMAT + encoder.fingerprint(folder).encode()).hexdigest()


def carry(name: str, carried: Path | None, target: Path, warn: Callable[[str], None]) -> None:
    """Writes the reader of a name into the folder `target`, which is not there yet: a copy of the one that an
    index has in `carried`, where that is the very same, or of this name and no other can be had.

    A new one is tried. Raises EncoderError where there is none of this name, or it is no question-answering
    model, does not become an OpenVINO graph, or cannot be run.
    """
    stored = Facts.read(carried) if carried else None
    of_name = stored is not None and stored.model == name
    source = None
    if name == BUNDLED or not of_name or encoder.can_export():
        try:
            source = locate(name)
        except EncoderError:
            if name == BUNDLED or not of_name:
                raise
    if carried and stored and of_name and (source is None or stored.fingerprint == fingerprint(source)):
        storage.carry_over(carried, target, storage.copy)
    elif source:
        _write(name, source, target, warn)


def _write(name: str, source: Path, target: Path, warn: Callable[[str], None]) -> None:
    storage.make_folder(target)
    if _is_ready(source):
        for file in FILES:
            storage.copy(source / file, target / file)
        replace(Facts.read(source), model=name, fingerprint=fingerprint(source)).write(target)
    else:
        with storage.written_by("reader's export", target):
            apart(export, name, source, target, warn)
    try:
        Reader(target).read(_QUESTION, [_PASSAGE])
    except Exception as error:  # whatever libraries raise of what is no reader
        raise EncoderError(f"{source}: cannot be run as a reader ({str(error)[:200]})") from error


def _is_ready(folder: Path) -> bool:
    return (folder / FACTS).is_file()


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{file}: cannot be read ({error.strerror})") from error


def export(model: str, source: Path, target: Path, warn: Callable[[str], None]) -> None:  # noqa: ARG001  as exports do
    """Writes the model in `source` into the empty folder `target`, ready for `Reader`.

    Its logits are compared with the original's; one that was trained on questions without an answer
    (SQuAD 2.0) tells by its first token's that there is none. Raises EncoderError where it cannot be used.
    """
    import torch  # noqa: PLC0415

    tokenizer, network = _load(source)
    fast: Any = tokenizer.backend_tokenizer
    limits = (tokenizer.model_max_length, getattr(network.config, "max_position_embeddings", None), WINDOW)
    window = min(limit for limit in limits if limit and limit > 0) // _MULTIPLE * _MULTIPLE
    storage.write(target / TOKENIZER, fast.to_str(pretty=True).encode())
    told = tokenizer(_QUESTION, _PASSAGE, truncation="only_second", max_length=window, return_tensors="pt")
    names = [name for name in (IDS, MASK, TYPES) if name in told]
    example = {name: told[name].repeat(2, 1) for name in names}
    outputs = _outputs(network, names)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer's remarks on shapes; the comparison decides
            graph = ov.convert_model(outputs, example_input=example)
            expected = outputs(**example)[0].numpy()
        for output, name in zip(graph.outputs, (SPANS, ANSWERABLE), strict=True):
            output.get_tensor().set_names({name})
        compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        found = compiled({name: example[name].numpy() for name in names})[SPANS]
    except Exception as error:  # whatever a foreign model raises
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise EncoderError(
            f"{model}: does not export to OpenVINO ({reason}); choose another reader"
        ) from error
    off = float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-6))
    if off > _MOST_OFF:
        raise EncoderError(f"{model}: its export differs from the original ({off:.3f} of the largest logit)")
    with storage.written_by("OpenVINO", target / GRAPH, RuntimeError):
        ov.save_model(graph, target / GRAPH, compress_to_fp16=True)
    Facts(model, fingerprint(source), window, int(tokenizer.pad_token_id or 0)).write(target)


def _load(source: Path) -> tuple[Any, "PreTrainedModel"]:
    try:
        from transformers import AutoModelForQuestionAnswering, AutoTokenizer  # noqa: PLC0415
        from transformers.utils import logging  # noqa: PLC0415
    except ImportError as error:
        raise EncoderError("a new reader needs transformers; run: pip install 'dateline[build]'") from error
    quiet: Any = logging
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True, trust_remote_code=False)
        network, loaded = AutoModelForQuestionAnswering.from_pretrained(
            source,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise EncoderError(
            f"{source}: transformers cannot load it as a question-answering model ({error})"
        ) from error
    if missing := sorted(loaded["missing_keys"]):
        raise EncoderError(
            f"{source}: is no question-answering model, it lacks {missing[0]}; choose one trained for that"
        )
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise EncoderError(f"{source}: its tokenizer has no tokenizer.json; choose a model with one")
    return tokenizer, network.float().eval()


def _outputs(network: "PreTrainedModel", names: list[str]) -> "torch.nn.Module":
    """What is read of a network: the logits of spans, (n, length, 2), and, of an answer, those of none turned
    round, (n,)."""
    import torch  # noqa: PLC0415

    class Outputs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(
            self,
            input_ids: "torch.Tensor",
            attention_mask: "torch.Tensor",
            token_type_ids: "torch.Tensor | None" = None,
        ) -> tuple["torch.Tensor", "torch.Tensor"]:
            given = {IDS: input_ids, MASK: attention_mask, TYPES: token_type_ids}
            told = self.network(**{name: given[name] for name in names})
            spans = torch.stack((told.start_logits, told.end_logits), -1)
            return spans, -spans[:, 0].sum(-1)

    return Outputs()
