# The two images of an installation. `api` speaks HTTP and has no model library; `worker` has the shipped models' ones.
#   docker build --target api -t penstock-api .
#   docker build --target worker -t penstock-worker .
# Any builder will do. All that is installed is in a lock file with its hash, and comes as a wheel: nothing is compiled.

# Python 3.11 or later with pip and venv, on Debian or the like; the same for every stage, as the environment is copied.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS tools
# A mirror of the package index, if the usual one is out of reach. Without a password: it stays in this stage's history.
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

FROM tools AS wheel
COPY requirements.lock ./
# What builds a wheel is locked too: one entry of that lock, and the lines of its hashes.
RUN sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock >build.lock \
 && pip install --no-deps --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY cli cli
COPY models models
COPY shared shared
COPY worker worker
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

FROM ${BASE} AS part
RUN groupadd --gid 10001 penstock \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin penstock
# PIP_PYTHON: in an image made from this one, `pip install` installs beside Penstock.
ENV PATH=/opt/penstock/bin:${PATH} PIP_PYTHON=/opt/penstock/bin/python PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1 HOME=/tmp
WORKDIR /models
STOPSIGNAL SIGTERM
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

FROM tools AS api-packages
RUN python -m venv --without-pip /opt/penstock
COPY requirements-api.lock ./
RUN pip --python /opt/penstock/bin/python install --no-deps --require-hashes --only-binary :all: -r requirements-api.lock

FROM part AS api
LABEL org.opencontainers.image.title="penstock-api" \
      org.opencontainers.image.description="Penstock's HTTP API: submit a prediction, poll a task that tells the truth"
COPY --from=api-packages /opt/penstock /opt/penstock
COPY --from=wheel /dist /tmp/dist
# It is run once: that shows that it can be, and leaves what it imports of Python's own library compiled.
RUN pip install --no-deps --no-index /tmp/dist/*.whl && rm -r /tmp/dist && penstock api --openapi >/dev/null
# Nobody is let in by this alone: without keys it does not start on this address, unless told PENSTOCK_AUTH=off.
ENV PYTHONDONTWRITEBYTECODE=1 PENSTOCK_API_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-P", "-m", "api.alive"]
CMD ["penstock", "api"]

FROM tools AS worker-packages
# requirements-worker.lock leaves the shipped models' libraries out: for a worker of your own models.
ARG WORKER_LOCK=requirements-models.lock
RUN python -m venv --without-pip /opt/penstock
COPY ${WORKER_LOCK} ./
RUN pip --python /opt/penstock/bin/python install --no-deps --require-hashes --only-binary :all: -r ${WORKER_LOCK}

FROM part AS worker
LABEL org.opencontainers.image.title="penstock-worker" \
      org.opencontainers.image.description="Penstock's worker, with the models that come with Penstock"
COPY --from=worker-packages /opt/penstock /opt/penstock
COPY --from=wheel /dist /tmp/dist
ARG WORKER_LOCK=requirements-models.lock
# As above; and a model library that misses something of the system's shows it here.
RUN pip install --no-deps --no-index /tmp/dist/*.whl && rm -r /tmp/dist && python -P -m worker --help >/dev/null \
 && if [ "${WORKER_LOCK}" = requirements-models.lock ]; then python -P -c 'import models.digits.model, models.ocr.model'; fi \
 && find /tmp -mindepth 1 -delete  # onnxruntime leaves a name of the machine there
ENV PYTHONDONTWRITEBYTECODE=1 PENSTOCK_HEARTBEAT_FILE=/tmp/penstock-heartbeat
USER 10001:10001
# Large models take their time to load; until the first success nothing counts as a failure for so long.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 CMD ["python", "-P", "-m", "worker.heartbeat"]
CMD ["penstock", "worker"]
