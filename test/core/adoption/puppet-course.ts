/** What may happen to the table of sockets. */
import fc from 'fast-check';

const DEEDS = [
  ...(['crash', 'sendAway', 'congest', 'closeAddress', 'scale', 'scale', 'hold'] as const),
  ...(['steeringFails', 'steeringWorks', 'restart', 'look', 'look', 'readdress', 'readdress'] as const),
] as const;

export interface Deed {
  readonly afterMs: number;
  readonly do: (typeof DEEDS)[number];
}

export interface Course {
  readonly seed: number;
  readonly size: number;
  readonly shared: boolean;
  readonly steered: boolean;
  readonly keys: readonly string[];
  /** How many of the workers cannot adopt, 0 to 1. */
  readonly unable: number;
  /** How often an effect cannot be done, 0 to 1. */
  readonly faults: number;
  readonly deeds: readonly Deed[];
}

const afterMs = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 7_000 }));

export const courses: fc.Arbitrary<Course> = fc.record({
  seed: fc.integer(),
  size: fc.integer({ min: 1, max: 6 }),
  shared: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  steered: fc.boolean(),
  keys: fc.constantFrom(['0.0.0.0:80'], ['0.0.0.0:80', '0.0.0.0:81']),
  unable: fc.constantFrom(0, 0, 0.3),
  faults: fc.constantFrom(0, 0, 0.2),
  deeds: fc.array(fc.record({ afterMs, do: fc.constantFrom(...DEEDS) }), { maxLength: 12 }),
});
