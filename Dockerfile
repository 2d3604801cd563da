# Two stages: the first builds, with torch; the second serves, without it.
#
#   docker build -t dateline .
#   docker run -p 127.0.0.1:8000:8000 dateline                  # serves an index of seeds/
#   docker run -v ./articles:/articles:ro -v dateline-index:/index dateline index build /articles
#   docker run -v dateline-index:/index -p 127.0.0.1:8000:8000 dateline
#
# It asks for no key, for whom the port is published to decides who reaches it. To publish it to more than this
# machine, make keys, and name their file: then nobody gets in without one.
#
#   docker run -v dateline-keys:/keys -e DATELINE_KEYS=/keys/keys.json dateline keys add NAME
#   docker run -v dateline-keys:/keys -e DATELINE_KEYS=/keys/keys.json -p 8000:8000 dateline
#
# The serving image rebuilds with the encoder that its index carries; another model needs the first
# stage: docker build --target build -t dateline-build .
FROM python:3.11.7-slim-bookworm AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python -m venv /opt/build && /opt/build/bin/pip install torch==2.13.0 --index-url "$TORCH_INDEX"
COPY pyproject.toml README.md LICENSE ./
COPY indexer indexer
COPY service service
RUN /opt/build/bin/pip install '.[build]'
# What goes into the serving image: the same package without what only a new model needs.
RUN python -m venv /opt/dateline && /opt/dateline/bin/pip install .
COPY seeds seeds
RUN /opt/build/bin/dateline index build seeds --index /index
ENV PATH=/opt/build/bin:$PATH DATELINE_INDEX=/index
ENTRYPOINT ["dateline"]

FROM python:3.11.7-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin dateline \
    && install --directory --owner=dateline --group=dateline --mode=700 /keys
COPY --from=build /opt/dateline /opt/dateline
COPY --from=build --chown=dateline:dateline /index /index
ENV PATH=/opt/dateline/bin:$PATH DATELINE_INDEX=/index DATELINE_HOST=0.0.0.0 DATELINE_OPEN=true \
    PYTHONUNBUFFERED=1
USER dateline
VOLUME /index
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["dateline"]
CMD ["serve", "--wait"]
