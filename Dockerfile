# holdfast with its example application. For an image of your own application, see examples/container and docs/containers.md.
#
#   docker build -t holdfast .
#   docker run --rm -p 3000:3000 holdfast
#   docker run --rm -p 3000:3000 --read-only --tmpfs /run/holdfast --cap-drop ALL holdfast
#
# Each stage copies what changes seldom first, so that a change of the sources installs nothing anew. The build stage has
# the compiler and the development dependencies; nothing of it but dist/ is in the image.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/build.js scripts/bundle.js scripts/chunk-text.js scripts/licences.js scripts/page.js scripts/source-lines.js scripts/tsc.js ./scripts/
COPY src ./src
RUN npm run build

# npm installs koffi's binary for this system alone. Sources, documentation and the binary for musl stay behind; koffi must
# still load then, or the build ends here.
FROM node:24-slim AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts \
  && rm -rf node_modules/koffi/doc node_modules/koffi/vendor node_modules/koffi/lib \
    node_modules/@koromix/*/musl_* \
  && node -e "require('koffi').load(null)"

FROM node:24-slim
# A folder below the mount point: `--tmpfs /run/holdfast` is root's, and holdfast makes a folder for its user alone in it.
ENV NODE_ENV=production HOLDFAST_RUNTIME_DIR=/run/holdfast/control
RUN install -d -m 1777 /run/holdfast \
  && ln -s /opt/holdfast/bin/holdfast.js /usr/local/bin/holdfast
WORKDIR /opt/holdfast
COPY --from=dependencies /build/node_modules ./node_modules
COPY package.json ./
COPY bin ./bin
COPY config ./config
COPY examples/hello ./examples/hello
COPY --from=build /build/dist/program ./dist/program
COPY --from=build /build/dist/worker ./dist/worker
# The user `node`, by number: Kubernetes' runAsNonRoot cannot tell from a name that it is not root.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["holdfast", "status"]
ENTRYPOINT ["holdfast", "start"]
CMD ["config/example.yaml"]
