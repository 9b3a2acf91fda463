# A small image of the one binary. Build: docker build -t holdfast .
FROM rust:1.95.0-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked -p holdfast-api

FROM debian:12.11-slim
# Roots of trust, for databases and issuers behind TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 holdfast \
    && useradd --system --uid 10001 --gid holdfast --home-dir /data holdfast \
    && install --directory --owner=holdfast --group=holdfast --mode=0700 /data
COPY --from=build /source/target/release/holdfast /usr/local/bin/holdfast
USER holdfast
VOLUME /data
ENV HOLDFAST_LISTEN=0.0.0.0:8080 \
    HOLDFAST_DATA=/data \
    HOLDFAST_LOG_FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["holdfast", "health", "--url", "http://127.0.0.1:8080"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["holdfast"]
CMD ["serve"]
