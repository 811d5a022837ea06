/**
 * Puts the validated options together: defaults, percentages, rules that concern two options at once, units in names.
 */
import type { Config } from './config.js';
import { defaultOf } from './layers/layer.js';
import type { ChosenOptions } from './layers/precedence.js';
import type { Found, Uncertainty } from './locate.js';
import { shareMemory } from './memory.js';
import { programFaults } from './program-rules.js';
import type { Resources } from './resources.js';
import { formatDuration } from './schema/duration.js';
import { type Fault, show } from './schema/fault.js';
import { MAX_INSTANCES, type SettingName, type Validated } from './schema/schema.js';

export interface Circumstances {
  readonly isUncertain: Uncertainty;
  readonly resources: Resources;
  /** Gets those that only show when all options are together; the result is to be used if there are none. */
  readonly faults: Fault[];
}

export function assemble(chosen: ChosenOptions, found: Found, circumstances: Circumstances): Config {
  const { isUncertain, resources, faults } = circumstances;
  const value = <K extends SettingName>(name: K) =>
    (chosen.get(name)?.value ?? defaultOf(name)) as NonNullable<Validated[K]>;
  const asked = value('instances');
  const instances = asked === 'max' ? Math.min(resources.processors, MAX_INSTANCES) : asked;
  if (!isUncertain('backoffBase') && !isUncertain('backoffMax')) {
    checkBackoff(chosen, value('backoffBase'), value('backoffMax'), faults);
  }
  // What listens on nothing that holdfast knows of is up when it runs.
  const ready =
    value('exec') && value('listen').length === 0 && chosen.get('ready') === undefined ? 'running' : value('ready');
  if (!isUncertain('exec') && !isUncertain('listen')) faults.push(...programFaults(chosen, value));
  if (ready === 'running' && !isUncertain('minUptime') && !isUncertain('readyTimeout')) {
    checkUptime(chosen, value('minUptime'), value('readyTimeout'), faults);
  }
  if (!isUncertain('reloadCron')) checkTimeZone(chosen, faults);
  return deepFreeze({
    name: chosen.get('name')?.value ?? found.program?.name ?? '',
    script: found.script,
    args: found.program?.args ?? [],
    exec: value('exec'),
    listen: value('listen'),
    // The owner's own come last, and win.
    nodeArgs: [...(found.program?.nodeArgs ?? []), ...value('nodeArgs')],
    cwd: found.cwd,
    env: { ...found.program?.env, ...found.envFileVariables, ...value('env') },
    instanceVar: value('instanceVar'),
    instances,
    listenMode: value('listenMode'),
    steering: value('steering'),
    affinity: value('affinity'),
    adoptAfterMs: value('adoptAfter'),
    slowStartMs: value('slowStart'),
    ready,
    readyTimeoutMs: value('readyTimeout'),
    minUptimeMs: value('minUptime'),
    health: chosen.get('health')?.value ?? null,
    healthTimeoutMs: value('healthTimeout'),
    healthIntervalMs: value('healthInterval'),
    trialMs: value('trial'),
    soakMs: value('soak'),
    surge: surgeOf(value('surge'), instances),
    maxDraining: value('maxDraining'),
    drainTimeoutMs: value('drainTimeout'),
    spreadMs: value('spread'),
    handover: value('handover'),
    killTimeoutMs: value('killTimeout'),
    shutdownMessage: value('shutdownMessage'),
    keepChildren: value('keepChildren'),
    orphanTimeoutMs: value('orphanTimeout'),
    bindTimeoutMs: value('bindTimeout'),
    backoffBaseMs: value('backoffBase'),
    backoffMaxMs: value('backoffMax'),
    backoffFactor: value('backoffFactor'),
    backoffResetMs: value('backoffReset'),
    maxRestarts: value('maxRestarts'),
    restartWindowMs: value('restartWindow'),
    onCrashLoop: value('onCrashLoop'),
    stopExitCodes: value('stopExitCodes'),
    hangTimeoutMs: value('hangTimeout'),
    ...shareMemory(chosen, { instances, isUncertain, resources, faults }),
    maxRequests: chosen.get('maxRequests')?.value ?? null,
    maxAgeMs: chosen.get('maxAge')?.value ?? null,
    maxEventLoopDelayMs: chosen.get('maxEventLoopDelay')?.value ?? null,
    canaryMaxErrorRate: value('canaryMaxErrorRate'),
    canaryMaxLatencyRatio: value('canaryMaxLatency'),
    canaryMaxLoopDelayMs: value('canaryMaxLoopDelay'),
    canaryMinRequests: value('canaryMinRequests'),
    beforeReload: chosen.get('beforeReload')?.value ?? null,
    beforeReloadTimeoutMs: value('beforeReloadTimeout'),
    hooks: value('hooks'),
    hookTimeoutMs: value('hookTimeout'),
    reloadCron: chosen.get('reloadCron')?.value ?? null,
    reloadCronTimeZone: chosen.get('reloadCronTimeZone')?.value ?? null,
    watch: value('watch'),
    admin: chosen.get('admin')?.value ?? null,
    adminNames: value('adminNames'),
    adminTokenFile: found.adminTokenFile,
    adminMetricsTokenFile: found.adminMetricsTokenFile,
    metricsNames: value('metricsNames'),
    logLevel: value('logLevel'),
    logFormat: value('logFormat'),
    logFile: found.logFile,
    logMaxBytes: value('logMaxSize'),
    logMaxAgeMs: value('logMaxAge'),
    logKeep: value('logKeep'),
    logCompress: value('logCompress'),
  });
}

/** A percentage is rounded up, as Kubernetes does with maxSurge; at least one, or a rollout could not begin. */
function surgeOf(surge: number | string, instances: number): number {
  if (typeof surge === 'number') return surge;
  return Math.max(1, Math.ceil((Number.parseInt(surge, 10) * instances) / 100));
}

function checkBackoff(chosen: ChosenOptions, baseMs: number, maxMs: number, faults: Fault[]): void {
  if (maxMs >= baseMs) return;
  // The one that was given is at fault; of both, the larger bound.
  const max = chosen.get('backoffMax');
  const at = max ?? chosen.get('backoffBase');
  if (at === undefined) return;
  const allowed =
    max === undefined
      ? `must be at most backoffMax, which is ${formatDuration(maxMs)}`
      : `must be at least backoffBase, which is ${formatDuration(baseMs)}`;
  faults.push({ source: at.source, path: at.path, value: formatDuration(at.value), allowed });
}

/** It would never be ready. */
function checkUptime(chosen: ChosenOptions, minUptimeMs: number, readyTimeoutMs: number, faults: Fault[]): void {
  if (minUptimeMs < readyTimeoutMs) return;
  const uptime = chosen.get('minUptime');
  const at = uptime ?? chosen.get('readyTimeout');
  if (at === undefined) return;
  const allowed =
    uptime === undefined
      ? `must be more than minUptime, which is ${formatDuration(minUptimeMs)}`
      : `must be less than readyTimeout, which is ${formatDuration(readyTimeoutMs)}`;
  faults.push({ source: at.source, path: at.path, value: formatDuration(at.value), allowed });
}

/** A time zone of nothing: the schedule was forgotten, or its name is misspelt. */
function checkTimeZone(chosen: ChosenOptions, faults: Fault[]): void {
  const zone = chosen.get('reloadCronTimeZone');
  if (zone === undefined || chosen.get('reloadCron') !== undefined) return;
  const { source, path: at, value } = zone;
  faults.push({ source, path: at, value: show(value), allowed: 'must have reloadCron beside it: "0 4 * * *"' });
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}
