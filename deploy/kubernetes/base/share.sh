# What replicas read of each published generation: its manifest, its models, and at last its words, for a generation
# without them is not served yet. What the index has no longer goes, its words first.
set -eu
index=${1:-/index} shared=${2:-/shared}
mkdir -p "$shared/generations" "$shared/published"
for words in "$index"/published/*.words; do
    id=$(basename "$words" .words)
    test -e "$words" && test ! -e "$shared/published/$id.words" || continue
    rm -rf "$shared/generations/$id"
    mkdir "$shared/generations/$id"
    for part in manifest.json encoder reader; do
        test ! -e "$index/generations/$id/$part" || cp -R "$index/generations/$id/$part" "$shared/generations/$id/"
    done
    cp "$words" "$shared/published/.$id"
    mv "$shared/published/.$id" "$shared/published/$id.words"
done
for words in "$shared"/published/*.words; do
    id=$(basename "$words" .words)
    test ! -e "$index/published/$id.words" || continue
    rm -rf "$words" "$shared/generations/$id"
done
