# syntax=docker/dockerfile:1
# The Bun server in an image without a shell: docker build -t postern .   How to run it: compose.yaml, docs/how-to/docker.md

# Versions are pinned. For a digest as well, build with --build-arg BUN_IMAGE=oven/bun:1.4.5-distroless@sha256:…
ARG BUN_IMAGE=oven/bun:1.4.5-distroless
ARG BUILD_IMAGE=oven/bun:1.4.5-slim
ARG NODE_IMAGE=node:24.21.0-bookworm-slim

# What the server imports, as the lock has it: no development packages, no install scripts, no runtimes.
FROM ${NODE_IMAGE} AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
# Folders are made here: the image has nothing to make one with. A folder that POSTERN_SECRETS_DIR names must be there.
RUN mkdir -p /data /secrets && chown 65532:65532 /data && chmod 700 /data

# One bundled file for each command: a third less memory than two hundred modules compiled one by one.
FROM ${BUILD_IMAGE} AS build
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
COPY package.json ./
COPY core core
COPY worker worker
COPY cli cli
RUN bun run build

FROM ${BUN_IMAGE}
WORKDIR /app
COPY LICENSE ./
COPY docs/reference/api docs/reference/api
COPY --from=build /app/dist dist
COPY --from=packages --chown=65532:65532 /data /data
COPY --from=packages /secrets /run/secrets
# The nonroot user of distroless images.
USER 65532:65532
# Makes the engine collect garbage as on a machine with 192 MiB. By default it uses the memory of the machine. This is not a limit.
ENV NODE_ENV=production \
    BUN_JSC_forceRAMSize=201326592 \
    BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 \
    BUN_OPTIONS=--no-env-file \
    POSTERN_ENVIRONMENT=production \
    POSTERN_DATA=/data \
    POSTERN_SECRETS_DIR=/run/secrets \
    POSTERN_HOST=0.0.0.0
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
# There is no shell and no curl. `/readyz` writes to the disk: it fails while that is full. 127.0.0.1 has to be among
# POSTERN_TRUSTED_PROXIES, or this is refused as any other that does not come through a proxy.
HEALTHCHECK --interval=15s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/bun", "-e", "process.exit((await fetch('http://127.0.0.1:8787/readyz')).ok ? 0 : 1)"]
# Bun itself reads no .env and no bunfig.toml: both could be in a folder that is mounted.
ENTRYPOINT ["/usr/local/bin/bun", "--no-env-file", "--config=/dev/null", "dist/bun.js"]
