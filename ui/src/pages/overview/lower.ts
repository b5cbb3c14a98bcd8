/** What comes after the first figures, as one chunk. */

export { Accounting } from './Accounting';
export { Failing } from './Failing';
export { Latency } from './Latency';
export { Slowest } from './Slowest';
export { WorkerGrid } from '~/components/WorkerGrid';
