/** The published OpenBao that `make kind` runs, and whose shell its workload uses. KEYFERRY_OPENBAO_IMAGE names another one. */
export const OPENBAO_IMAGE =
  'quay.io/openbao/openbao:2.6.2@sha256:11fd73a2102cda9c55d5d881a8c3210303146a7ec1e8ac76f526e175c6d24641';
