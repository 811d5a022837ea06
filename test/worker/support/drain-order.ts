/** A worker is to drain that is replaced. */
export const DRAIN = {
  type: 'drain',
  emptyQueue: false,
  windowMs: 60_000,
  spreadMs: 0,
  reason: 'replaced',
  recipients: false,
  sayShutdown: 'early',
};
