/** Options of the supervisor itself, not of a generation: a reload does not change them, a supervisor that replaces another one does. */

/** Its sockets were bound and are steered by these: they stay even where another supervisor takes its place. */
const OF_SOCKETS = ['name', 'listenMode', 'steering', 'affinity', 'adoptAfterMs'] as const;

/** A supervisor that takes the place of another one begins with its own. */
export const OF_SUPERVISOR = [
  'bindTimeoutMs',
  'logFile',
  'logFormat',
  'logLevel',
  'logMaxBytes',
  'logMaxAgeMs',
  'logKeep',
  'logCompress',
  'admin',
  'adminNames',
  'adminTokenFile',
  'adminMetricsTokenFile',
  'metricsNames',
  'reloadCron',
  'reloadCronTimeZone',
  'watch',
] as const;

/** All that a reload does not change. */
export const FIXED = [...OF_SOCKETS, ...OF_SUPERVISOR];
