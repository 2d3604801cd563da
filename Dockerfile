# Two stages: the first builds, with torch; the second serves, without it. What is installed is what the lock files
# name, by its hash; torch alone, which stays in the first, is named by its version.
#
#   docker build -t dateline .
#   docker run -p 127.0.0.1:8000:8000 dateline                  # serves an index of seeds/
#   docker run -v ./articles:/articles:ro -v dateline-index:/index dateline index build /articles
#   docker run -v dateline-index:/index -p 127.0.0.1:8000:8000 dateline
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#       -v dateline-index:/index -p 127.0.0.1:8000:8000 dateline          # nothing else needs to be writable
#
# It asks for no key, for whom the port is published to decides who reaches it. To publish it to more than this
# machine, make keys, and name their file: then nobody gets in without one.
#
#   docker run -v dateline-keys:/keys -e DATELINE_KEYS=/keys/keys.json dateline keys add NAME
#   docker run -v dateline-keys:/keys -e DATELINE_KEYS=/keys/keys.json -p 8000:8000 dateline
#
# A digest holds the base to its bytes: docker build --build-arg BASE=python:3.11.7-slim-bookworm@sha256:… .
#
# For more than one machine (docs/scale.md) it has the clients of Milvus, of language models and of collectors as well:
#
#   docker build --build-arg LOCK=requirements-cluster.lock -t dateline .
#
# The serving image rebuilds with the encoder that its index carries; another model needs the first
# stage: docker build --target build -t dateline-build .
ARG BASE=python:3.11.7-slim-bookworm
FROM ${BASE} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/build && /opt/build/bin/pip install torch==2.13.0 --index-url "$TORCH_INDEX"
COPY requirements.lock requirements-build.lock requirements-cluster.lock ./
# A lock is complete: --no-deps keeps pip from adding what it does not name.
RUN /opt/build/bin/pip install --no-deps --require-hashes -r requirements-build.lock
# What goes into the serving image: the same package without what only a new model needs.
ARG LOCK=requirements.lock
RUN python -m venv /opt/dateline && /opt/dateline/bin/pip install --no-deps --require-hashes -r "$LOCK"
COPY pyproject.toml README.md LICENSE ./
COPY indexer indexer
COPY service service
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/own . && \
    for each in build dateline; do /opt/$each/bin/pip install --no-deps /tmp/own/*.whl; done
COPY seeds seeds
RUN /opt/build/bin/dateline index build seeds --index /index
ENV PATH=/opt/build/bin:$PATH DATELINE_INDEX=/index
ENTRYPOINT ["dateline"]

FROM ${BASE}
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin dateline \
    && install --directory --owner=dateline --group=dateline --mode=700 /keys
COPY --from=build /opt/dateline /opt/dateline
COPY --from=build --chown=dateline:dateline /index /index
ENV PATH=/opt/dateline/bin:$PATH DATELINE_INDEX=/index DATELINE_HOST=0.0.0.0 DATELINE_OPEN=true \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER dateline
VOLUME /index
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["dateline"]
CMD ["serve", "--wait"]
