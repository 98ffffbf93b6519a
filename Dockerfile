# The image of the operator. `make image` builds it: nothing is compiled or downloaded here. It first writes the files of each
# layer to .image/<architecture>/, from packages whose integrity or signature it checks (ADR 0046).
FROM scratch AS files
ARG TARGETARCH
COPY .image/${TARGETARCH}/ /

FROM scratch
ARG VERSION
LABEL org.opencontainers.image.title="keyferry" \
      org.opencontainers.image.description="Moves secret values between Kubernetes Secrets and OpenBao, verified byte for byte" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
# What changes least comes first: C libraries, Node, the bundle.
COPY --from=files /libraries/ /
COPY --from=files /runtime/ /
COPY --from=files /application/ /
USER 65532:65532
WORKDIR /app
# Variables and flags are those of the first line of src/main.ts; test/architecture/image.test.ts compares them.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536
ENTRYPOINT ["/usr/bin/node", "--max-old-space-size=512", "--max-semi-space-size=4", "--v8-pool-size=1", "--disable-sigusr1", "--disable-proto=delete", "--disallow-code-generation-from-strings", "/app/dist/keyferry.js"]
CMD ["operator"]
