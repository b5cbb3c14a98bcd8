/** The hub in a SharedWorker: every tab is a port. */

import { createClient } from './client';
import { type FromTab, Hub, type Stream, type Tab } from './hub';

const hub = new Hub({
  client: createClient,
  stream: (address) => new EventSource(address) as Stream,
  now: () => performance.now(),
});

(self as unknown as SharedWorkerGlobalScope).onconnect = ({ ports }) => {
  for (const port of ports) {
    const tab: Tab = { post: (message) => port.postMessage(message) };
    port.onmessage = ({ data }: MessageEvent<FromTab>) => hub.receive(tab, data);
  }
};
