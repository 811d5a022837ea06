# holdfast with its example application. For your own application, see "Containers" in the README.
#
#   docker build -t holdfast .
#   docker run --rm -p 3000:3000 holdfast
#
# The build stage has the compiler and the development dependencies; nothing of it but dist/ is in the image.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
RUN npm run build

FROM node:24-slim AS dependencies
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production HOLDFAST_RUNTIME_DIR=/run/holdfast
RUN install -d -o node -g node -m 0700 /run/holdfast
WORKDIR /opt/holdfast
COPY --from=dependencies /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json ./
COPY bin ./bin
COPY config ./config
COPY examples ./examples
RUN ln -s /opt/holdfast/bin/holdfast.js /usr/local/bin/holdfast
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["holdfast", "status"]
ENTRYPOINT ["holdfast", "start"]
CMD ["config/example.yaml"]
