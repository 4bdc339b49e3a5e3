# The console for TimescaleDB servers of one's own (docs/operations.md). The embedded sandbox is not in it.
FROM python:3.11-slim-trixie

# pg_dump and pg_restore make the backup before a rollout; they must not be older than the server.
# tini takes up the processes that rollouts and benchmarks run in, when these end.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends postgresql-client-17 tini \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/ms5ops
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY . ./
RUN python -m compileall -q ms5ops pages streamlit_app.py

# State (accounts, audit log, approvals, alerts, backups) and history are volumes; the rest belongs to root.
# The home is /tmp: a tmpfs over a folder of its own would belong to root where the image is read only.
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin ms5ops \
    && install -d -o ms5ops -g ms5ops -m 0700 /var/lib/ms5ops /var/lib/ms5ops/state /var/lib/ms5ops/history \
    && install -d /etc/ms5ops
# An address that is said is not looked up in the Internet.
ENV HOME=/tmp \
    MS5OPS_STATE=/var/lib/ms5ops/state \
    MS5OPS_HISTORY=/var/lib/ms5ops/history/history.duckdb \
    MS5OPS_CONFIG=/etc/ms5ops/ms5ops.toml \
    STREAMLIT_BROWSER_SERVER_ADDRESS=localhost \
    PYTHONUNBUFFERED=1
VOLUME ["/var/lib/ms5ops/state", "/var/lib/ms5ops/history"]
USER ms5ops
EXPOSE 8501

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; base = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); u.urlopen('http://127.0.0.1:8501' + (base and '/' + base) + '/_stcore/health', timeout=4)"]
ENTRYPOINT ["tini", "--"]
CMD ["python", "-m", "ms5ops", "run", "--address", "0.0.0.0", "--port", "8501", "--no-browser"]
