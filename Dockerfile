# daypass, the broker. Not built in this project's CI, which has no container engine; hadolint checks it.
#
#   docker build -t daypass .
#   docker run --read-only --tmpfs /tmp -v daypass-state:/var/lib/daypass -v ./config:/etc/daypass:ro -p 8000:8000 daypass
#
# The state volume holds the key file and, with SQLite, the database: point `keys` and `database` there.
FROM python:3.12-slim AS packages
WORKDIR /build
COPY requirements-server.txt ./
RUN python -m venv /opt/daypass && \
    /opt/daypass/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: \
      --require-hashes -r requirements-server.txt

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/daypass --create-home daypass
COPY --from=packages /opt/daypass /opt/daypass
WORKDIR /srv/daypass
COPY wsgi.py ./
COPY app ./app
COPY cli ./cli
ENV PATH=/opt/daypass/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAYPASS_CONFIG=/etc/daypass \
    DAYPASS_LOG=json
USER 10001
VOLUME /var/lib/daypass
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
