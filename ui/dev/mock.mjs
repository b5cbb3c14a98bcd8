// A console without a cluster: speaks the contract with made-up data, for work on the page.
//   npm run mock [-- --port 6200 --prefix /scope --rate 40]
//   npm run mock -- --login      asks for a name (admin, operator, viewer, limited) and any password
// It serves the built page too, with the policy that the real server sends. For trying what a page
// does in trouble:  POST /mock/broker?state=disconnected · /mock/restart · /mock/silence?on=1
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '6200' },
    prefix: { type: 'string', default: '' },
    rate: { type: 'string', default: '40' }, // tasks a second
    workers: { type: 'string', default: '6' },
    login: { type: 'boolean', default: false },
    dist: { type: 'string', default: fileURLToPath(new URL('../../src/celeryscope/web/dist', import.meta.url)) },
  },
});
const DIST = flags.dist;
const PREFIX = flags.prefix.replace(/\/$/, '');
const RATE = Number(flags.rate);
const KEPT = 20_000;
const GRAFANA = 'http://127.0.0.1:3000/grafana';
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "worker-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
const pick = (list) => list[Math.floor(random() * list.length)];
const uuid = () => {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};
const clock = () => Date.now() / 1000;

const NAMES = [
  ['shop.orders.place_order', 0.06, 0.02, 'orders'],
  ['shop.orders.charge_card', 0.4, 0.05, 'orders'],
  ['shop.mail.send_receipt', 0.15, 0.01, 'mail'],
  ['shop.mail.send_newsletter', 1.2, 0, 'mail'],
  ['shop.media.resize_image', 2.5, 0.03, 'media'],
  ['shop.media.transcode_video', 14, 0.08, 'media'],
  ['shop.search.reindex_product', 0.02, 0, 'orders'],
  ['shop.reports.nightly_summary', 6, 0.1, 'orders'],
  ['celery.backend_cleanup', 0.01, 0, 'celery'],
  ['\u202eevil<script>alert(1)</script>\u0000.name', 0.3, 0.2, 'mail'],
  [`long.${'very_long_'.repeat(1000)}end`, 0.1, 0.1, 'mail'],
  ['z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u0316\u0317\u0318\u0319.שלום.👩‍👩‍👧', 0.1, 0.1, `q${'\u202e'}ueue`],
];
const EXCEPTIONS = [
  `RuntimeError('${'no_blank_in_here'.repeat(700)}')`,
  "ConnectionError('payment gateway timed out after 5.0 s')",
  "ValueError('image has no pixels: <b>0×0</b>')",
  "KeyError('customer')",
];
const TRACEBACK = `Traceback (most recent call last):
  File "/srv/venv/lib/python3.12/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/orders.py", line 88, in charge_card
    gateway.charge(order.total, card=card)
  File "/srv/shop/gateway.py", line 31, in charge
    raise ConnectionError('payment gateway timed out after 5.0 s')
ConnectionError: payment gateway timed out after 5.0 s`;

const begun = clock() - 5400;
let server = uuid();
let silent = false;
let broker = {
  transport: 'redis',
  url: 'redis://cache-1.internal:6379/0',
  state: 'connected',
  since: begun,
  error: null,
  hint: null,
};
const kinds = ['sent', 'received', 'started', 'succeeded', 'failed', 'retried', 'revoked', 'rejected'];
const totals = Object.fromEntries(kinds.map((kind) => [`task-${kind}`, 0]));
const names = new Map();
const tasks = new Map();
const steps = [];
let touched = [];
let changes = 0;

const MANY = Number(flags.workers) > 24; // then a dozen share a host
const workers = Array.from({ length: Number(flags.workers) }, (_, index) => ({
  hostname: index === 4 ? `celery@${'long-hostname-of-an-autoscaled-pod-'.repeat(3)}5f7c` : MANY ? `${pick(['mail', 'media', 'orders'])}${index}@shop-${Math.floor(index / 12)}` : `celery@web${index + 1}`,
  status: index % 97 === 3 ? 'offline' : index % 89 === 5 ? 'unknown' : 'online',
  last_heartbeat: clock() - (index % 97 === 3 ? 190 : index % 89 === 5 ? 41 : 0.5),
  heartbeat_interval: 2,
  active: 0,
  running: 0,
  processed: 1000 * (index + 3),
  loadavg: [0.42 + index / 7, 0.38, 0.31],
  version: '5.5.3',
  software: 'py-celery',
  pool: index === 5 ? null : 'prefork',
  concurrency: index === 5 ? null : 8,
  queues: index % 2 ? ['orders', 'mail'] : ['media'],
  pid: 4000 + index,
  skew_seconds: index === 2 ? 4.2 : 0.003,
  restarts: index === 1 ? 1 : 0,
  lost: index === 2 ? 12 : 0,
  counts: { 'worker-heartbeat': 2700 },
  first_seen: begun,
  inspected_at: index === 5 ? null : clock() - 12,
}));

function begin() {
  const [name, mean, failing, queue] = pick(NAMES);
  const now = clock();
  const root = random() < 0.2 ? [...tasks.keys()].at(-1) : null;
  const task = {
    uuid: uuid(), name: random() < 0.01 ? null : name, state: 'PENDING', worker: null, queue,
    client: 'gen812@web1', sent: now, received: null, started: null, finished: null, wait: null,
    runtime: null, retries: 0, args: `(${Math.floor(random() * 9000)}, 'standard')`,
    kwargs: "{'notify': True}", result: null, exception: null, state_at: now,
    mean, failing, due: now + random() * 0.3, root, log: [['task-sent', now, 'gen812@web1']],
  };
  tasks.set(task.uuid, task);
  if (tasks.size > KEPT) tasks.delete(tasks.keys().next().value);
  told(task, 'sent');
}

function told(task, kind) {
  totals[`task-${kind}`] += 1;
  changes += 1;
  touched.unshift(task);
  const row = names.get(task.name ?? '') ?? Object.fromEntries([
    ['name', task.name ?? ''], ...kinds.map((key) => [key, 0]), ['runtime_mean', 0.4], ['last_exception', null],
    ['runtime_p50', null], ['runtime_p95', null], ['runtime_p99', null], ['wait_p95', null], ['runtime_total', 0],
    ['recent_failed', 0], ['recent_succeeded', 0], ['last_failed', null],
  ]);
  row[kind] += 1;
  if (kind === 'succeeded') {
    row.recent_succeeded += 1;
    row.runtime_total += task.runtime;
    Object.assign(row, { runtime_p50: task.mean, runtime_p95: task.mean * 1.45, runtime_p99: task.mean * 1.49, wait_p95: 0.4 });
  }
  if (kind === 'failed') {
    row.recent_failed += 1;
    row.last_exception = task.exception;
    row.last_failed = task.uuid;
  }
  names.set(row.name, row);
  const worker = workers.find(({ hostname }) => hostname === task.worker);
  if (worker) worker.counts[`task-${kind}`] = (worker.counts[`task-${kind}`] ?? 0) + 1;
}

function move(task, state, kind) {
  const now = clock();
  Object.assign(task, { state, state_at: now });
  task.log.push([`task-${kind}`, now, task.worker]);
  told(task, kind);
}

function advance(task) {
  const now = clock();
  if (now < task.due) return;
  if (task.state === 'PENDING') {
    task.worker = pick(MANY ? workers.filter(({ status }) => status === 'online') : workers.slice(0, 3)).hostname;
    task.received = now;
    task.due = now + random() * 0.2;
    move(task, 'RECEIVED', 'received');
  } else if (task.state === 'RECEIVED') {
    if (random() < 0.01) {
      task.finished = now;
      return move(task, 'REVOKED', 'revoked');
    }
    task.started = now;
    task.wait = now - task.sent;
    task.due = now + task.mean * (0.5 + random());
    move(task, 'STARTED', 'started');
  } else if (task.state === 'STARTED') {
    const worker = workers.find(({ hostname }) => hostname === task.worker);
    worker.processed += 1;
    if (random() < task.failing) {
      task.exception = pick(EXCEPTIONS);
      task.traceback = TRACEBACK;
      if (random() < 0.4) {
        task.retries += 1;
        task.due = now + 3;
        return move(task, 'RETRY', 'retried');
      }
      task.finished = now;
      return move(task, 'FAILURE', 'failed');
    }
    task.runtime = now - task.started;
    task.result = "{'ok': True}";
    task.finished = now;
    move(task, 'SUCCESS', 'succeeded');
  } else if (task.state === 'RETRY') {
    task.started = now;
    task.due = now + task.mean;
    move(task, 'STARTED', 'started');
  }
}

const FINAL = new Set(['SUCCESS', 'FAILURE', 'REVOKED', 'REJECTED']);
const PER_ROUND = RATE / 20;
let owed = 0;
setInterval(() => {
  if (broker.state !== 'connected') return;
  for (owed += PER_ROUND * (0.8 + 0.4 * Math.sin(clock() / 23)); owed >= 1; owed -= 1) begin();
  for (const task of tasks.values()) if (!FINAL.has(task.state)) advance(task);
  const running = {};
  for (const { state, worker } of tasks.values()) if (state === 'STARTED') running[worker] = (running[worker] ?? 0) + 1;
  for (const worker of workers) {
    if (worker.status !== 'online') continue;
    worker.running = running[worker.hostname] ?? 0;
    worker.active = worker.running;
    if (clock() - worker.last_heartbeat > 2) worker.last_heartbeat = clock();
  }
}, 50);
for (let back = 150; back >= 0; back -= 1) {
  const wave = RATE * 2 * (0.8 + 0.25 * Math.sin(back / 11)) * (0.9 + 0.2 * random());
  const gap = back > 90 && back < 100 ? 0 : 1;
  steps.push({ at: clock() - 2 * back, received: gap * Math.round(wave), succeeded: gap * Math.round(wave * 0.94), failed: gap * Math.round(wave * (back < 30 ? 0.09 : 0.03)), retried: gap * Math.round(wave * 0.02) });
}
let before = { ...totals };
setInterval(() => {
  const step = { at: clock() };
  for (const kind of ['received', 'succeeded', 'failed', 'retried']) step[kind] = totals[`task-${kind}`] - before[`task-${kind}`];
  before = { ...totals };
  steps.push(step);
  if (steps.length > 150) steps.shift();
}, 2000);

const DEPTHS = { celery: () => 0, mail: (t) => 30 + 25 * Math.sin(t / 40), media: (t) => 600 + 1.2 * (t % 3000), orders: (t) => 5 + 5 * Math.sin(t / 7), thumbnails: (t) => 40_000 - 6 * (t % 6000), billing: () => 12, exports: (t) => Math.max(0, 300 * Math.sin(t / 90)), reports: () => null, search: (t) => 3 + 3 * Math.sin(t), [`q${'\u202e'}ueue`]: () => 2 };
let queues = [];
function readQueues() {
  const now = clock();
  queues = Object.entries(DEPTHS).map(([name, depth]) => {
    const at = (when) => (depth(when) === null || (name === 'mail' && when > begun + 5200 && when < begun + 5300) ? null : Math.max(0, Math.round(depth(when))));
    const messages = at(now);
    const times = Array.from({ length: 120 }, (_, index) => now - 5 * (119 - index));
    const growth = messages === null ? null : (messages - at(now - 60)) / 60;
    const readers = { billing: 0, reports: null }[name] ?? 2;
    return {
      name, messages, consumers: name === 'reports' ? null : readers, error: messages === null ? 'WRONGTYPE: the key holds no list' : null,
      growth_per_second: growth, in_per_second: name === 'celery' ? null : 12.4, out_per_second: growth === null ? null : Math.max(0, 12.4 - growth),
      drain_seconds: messages > 0 && growth < -0.05 ? messages / -growth : null, times, depths: times.map(at),
      workers: readers ? workers.filter(({ queues: read }) => read.includes(name)).slice(0, 40).map(({ hostname }) => hostname) : [], sent: 48_200, taken: 48_100,
    };
  });
}
readQueues();
setInterval(readQueues, 5000);

function latency() {
  const times = Array.from({ length: 30 }, (_, index) => Math.floor(clock() / 10) * 10 - 10 * (29 - index));
  const line = (size, wave) => times.map((at, index) => (index > 11 && index < 14 ? null : size * (1 + wave * Math.sin(at / 37)) * (index > 24 ? 3 : 1)));
  const quantiles = (size) => ({ p50: line(size, 0.2), p95: line(size * 8, 0.4), p99: line(size * 30, 0.5) });
  return { step_seconds: 10, times, wait: quantiles(0.012), runtime: quantiles(0.3) };
}

function overview() {
  const states = {};
  for (const { state } of tasks.values()) states[state] = (states[state] ?? 0) + 1;
  const last = steps.slice(-5);
  const perSecond = (kind) => last.reduce((sum, step) => sum + (step[kind] ?? 0), 0) / 10;
  const rates = Object.fromEntries(kinds.map((kind) => [kind, perSecond(kind) || perSecond('received')]));
  rates.revoked = 0.2;
  rates.rejected = 0;
  const by = (status) => workers.filter((worker) => worker.status === status).length;
  return {
    now: clock(), version: '0.1.0', grafana_url: GRAFANA, started_at: begun, broker,
    ingest: {
      events: 1_284_000 + changes, events_per_second: broker.state === 'connected' ? RATE * 4.1 : 0, lag_seconds: 0.012,
      buffer_bytes: 18_400, buffer_limit_bytes: 64_000_000, lost: 12, dropped_messages: 0,
      dropped_bytes: 0, duplicates: 3, rejected: { bad_json: 2, too_large: 1 },
      tasks_in_memory: tasks.size, tasks_limit: 100_000, tasks_forgotten: 0,
      tasks_forgotten_live: 0, mask_active: false, label_overflow: {},
    },
    workers: { online: by('online'), offline: by('offline'), unknown: by('unknown') },
    states, running: states.STARTED ?? 0, totals, rate: rates,
    activity: {
      step_seconds: 2,
      times: steps.map(({ at }) => at),
      series: Object.fromEntries(['received', 'succeeded', 'failed', 'retried'].map((kind) => [kind, steps.map((step) => step[kind])])),
    },
    queues: queues.map(({ times, depths, workers: _, sent, taken, ...queue }) => queue),
    latency: latency(),
    slowest: [...names.values()].filter(({ runtime_p95 }) => runtime_p95 !== null).sort((a, b) => b.runtime_p95 - a.runtime_p95).slice(0, 8),
    gaps: [
      { start: clock() - 200, end: clock() - 180, reason: 'Connection closed by server.' },
      { start: begun + 900, end: begun + 904.2, reason: 'Error 111 connecting to cache-1.internal:6379. Connection refused.' },
      ...(broker.state === 'disconnected' ? [{ start: broker.since, end: null, reason: broker.error }] : []),
    ].reverse(),
    failing: [...names.values()].filter(({ failed }) => failed > 0).sort((a, b) => b.recent_failed - a.recent_failed || b.failed - a.failed).slice(0, 10),
  };
}

const row = ({ uuid, name, state, worker, queue, client, sent, received, started, finished, wait, runtime, retries, args, kwargs, result, exception, state_at }) =>
  ({ uuid, name, state, worker, queue, client, sent, received, started, finished, wait, runtime, retries, args, kwargs, result, exception, state_at });

function taskList(query) {
  // Of the query language no more than words and key:value,value.
  const terms = (query.get('query') ?? '').toLowerCase().split(' ').filter(Boolean);
  const found = [...tasks.values()].reverse().filter((task) =>
    terms.every((term) => {
      const [, key, values] = /^(state|name|worker|queue):(.+)$/.exec(term) ?? [];
      return key
        ? values.split(',').includes(String(task[key]).toLowerCase())
        : `${task.uuid} ${task.name} ${task.args}`.toLowerCase().includes(term);
    }));
  const sort = query.get('sort') ?? '-seen';
  const key = sort.replace('-', '');
  if (key !== 'seen') found.sort((a, b) => ((a[key] ?? '') < (b[key] ?? '') ? -1 : 1) * (sort.startsWith('-') ? -1 : 1));
  else if (sort === 'seen') found.reverse();
  const limit = Number(query.get('limit') ?? 50);
  return { now: clock(), tasks: found.slice(0, limit).map(row), total: found.length, in_memory: tasks.size, facets: null };
}

function facets(view) {
  const found = taskList(new URLSearchParams({ query: view, limit: '1000' })).tasks;
  const by = (key) => {
    const counts = {};
    for (const task of found) if (task[key] !== null) counts[task[key]] = (counts[task[key]] ?? 0) + 1;
    return Object.entries(counts).map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count).slice(0, 20);
  };
  return { state: by('state'), name: by('name'), worker: by('worker'), queue: by('queue') };
}

function taskDetail(id) {
  const task = tasks.get(id);
  if (!task) return null;
  const children = [...tasks.values()].filter(({ root }) => root === id).slice(0, 5);
  const at = (kind) => task.log.findLast(([type]) => type === `task-${kind}`)?.[1] ?? null;
  return {
    ...row(task), traceback: task.traceback ?? null, eta: null, expires: null,
    root_id: task.root ?? task.uuid, parent_id: task.root, children: children.map(row), children_total: children.length,
    exchange: '', routing_key: task.queue, succeeded: at('succeeded'), failed: at('failed'),
    retried: at('retried'), revoked: at('revoked'), rejected: null, terminated: false,
    expired: task.state === 'REVOKED', signum: null, truncated: false, arguments_kept: true, clock: 48_211,
    timeline: task.log.map(([type, when, host]) => ({ type, at: when, host })),
  };
}

function workerDetail(hostname) {
  const worker = workers.find((other) => other.hostname === hostname);
  if (!worker) return null;
  const mine = [...tasks.values()].filter((task) => task.worker === hostname);
  const inspect = worker.inspected_at === null ? null : {
    at: worker.inspected_at,
    stats: { pid: worker.pid, uptime: 5400, prefetch_count: 32, pool: { 'max-concurrency': 8, implementation: 'celery.concurrency.prefork:TaskPool', processes: [4101, 4102, 4103] }, rusage: { utime: 412.2, stime: 38.1, maxrss: 91_240 } },
    registered: NAMES.map(([name]) => name),
    active_queues: worker.queues.map((name) => ({ name, exchange: { name, type: 'direct' }, routing_key: name })),
    conf: { timezone: 'UTC', task_serializer: 'json', task_acks_late: false, worker_prefetch_multiplier: 4, result_backend: 'redis://cache-1.internal:6379/1' },
    active: [], reserved: mine.filter(({ state }) => state === 'RECEIVED').map(({ uuid: id, name }) => ({ id, name })),
    scheduled: [], revoked: [],
  };
  const times = Array.from({ length: 60 }, (_, index) => clock() - 2 * (60 - index));
  const heartbeats = { times, active: times.map((_, index) => index % 5), load: times.map(() => 0.4), processed: times.map((_, index) => worker.processed - 120 + 2 * index) };
  return { ...worker, heartbeats, inspect, inspect_error: null, running_tasks: mine.filter(({ state }) => state === 'STARTED').map(row) };
}

function live(request, response, query) {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  const send = (event, data) => response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  send('hello', { server, version: '0.1.0', grafana_url: GRAFANA, now: clock(), topics: [], views: [] });
  const topics = (query.get('topics') ?? '').split(',');
  let seen = {};
  let rows = {};
  let cells = {};
  const views = query.getAll('view');
  let counted = changes;
  const tick = () => {
    if (silent) return;
    const frame = { now: clock() };
    if (topics.includes('overview')) {
      const changed = {};
      for (const [key, value] of Object.entries(overview())) {
        const text = JSON.stringify(value);
        if (key !== 'now' && seen[key] !== text) changed[key] = value;
        seen[key] = text;
      }
      frame.overview = changed;
    }
    if (topics.includes('workers')) {
      const set = workers.filter((worker) => {
        const text = JSON.stringify(worker);
        const changed = rows[worker.hostname] !== text;
        rows[worker.hostname] = text;
        return changed;
      });
      frame.workers = { set, gone: [] };
    }
    if (topics.includes('grid')) {
      const set = workers.map((w) => [w.hostname, w.status, w.running, w.concurrency, w.lost]).filter((cell) => {
        const changed = cells[cell[0]] !== String(cell);
        cells[cell[0]] = String(cell);
        return changed;
      });
      frame.grid = { set, gone: [] };
    }
    if (views.length > 0) {
      frame.views = Object.fromEntries(views.map((view) => {
        const { tasks: found, total } = taskList(new URLSearchParams({ query: view, limit: '40' }));
        return [view, { rows: found, changed: changes - counted, total, in_memory: tasks.size, facets: facets(view) }];
      }));
      counted = changes;
    }
    touched = touched.slice(0, 200);
    send('frame', frame);
  };
  tick();
  const timer = setInterval(tick, query.get('hidden') === '1' ? 5000 : 250);
  request.on('close', () => clearInterval(timer));
  streams.add(response);
  response.on('close', () => streams.delete(response));
}
const streams = new Set();

function json(response, body, status = 200) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

// ---- steering: a few commands of each kind, and answers that come one after the other

const argument = (name, kind, more = {}) => ({
  name, kind, help: '', required: false, default: null, minimum: null, maximum: null, max_bytes: 255, max_items: 1000, choices: [], unit: '', ...more,
});
const command = (name, title, subject, consequence, more = {}) => ({
  name, title, consequence, confirmed: 'By the answer.', role: 'operator', allowed: true, subject, runs: 'workers',
  needs_workers: false, many: false, destructive: false, confirm: '', arguments: [], example: {}, ...more,
});
const IDS = argument('ids', 'texts', { required: true, help: "The tasks' ids." });
const QUEUE = argument('queue', 'text', { required: true, help: "The queue's name." });
const TASK = argument('task_name', 'text', { required: true, help: "The task's name." });
const PROCESSES = argument('n', 'integer', { default: 1, minimum: 1, maximum: 1000, unit: 'processes', help: 'How many.' });
const SECONDS = { minimum: 0.001, maximum: 31_536_000, unit: 'seconds' };
const HERE = { runs: 'here' };
const NAMED = { needs_workers: true };
const LOST = { destructive: true };
const COMMANDS = [
  command('shutdown', 'Shut down', 'worker', 'The worker takes no more tasks, finishes those that run, and ends. Nothing starts it again unless a supervisor does.', { ...NAMED, ...LOST, role: 'admin' }),
  command('pool_restart', 'Restart the pool', 'worker', 'The processes of the pool are replaced, each after its next task.', { ...NAMED, ...LOST, role: 'admin', arguments: [argument('modules', 'texts', { help: 'Python modules to import.' }), argument('reload', 'boolean', { default: false, help: 'Read modules again that are loaded.' })] }),
  command('pool_grow', 'Grow the pool', 'worker', 'The worker starts more processes and takes as many more tasks at once.', { ...NAMED, arguments: [PROCESSES] }),
  command('pool_shrink', 'Shrink the pool', 'worker', 'The worker ends idle processes.', { ...NAMED, ...LOST, arguments: [PROCESSES] }),
  command('autoscale', 'Set autoscale limits', 'worker', 'The pool grows and shrinks between these limits.', { ...NAMED, arguments: [argument('max', 'integer', { required: true, minimum: 1, maximum: 1000, unit: 'processes' }), argument('min', 'integer', { minimum: 0, maximum: 1000, unit: 'processes' })] }),
  command('add_consumer', 'Consume from a queue', 'queue', 'The worker takes tasks from this queue, too, and makes the queue if it is not there.', { arguments: [QUEUE, argument('exchange', 'text'), argument('exchange_type', 'text', { default: 'direct', choices: ['direct', 'topic', 'fanout', 'headers'] }), argument('routing_key', 'text'), argument('options', 'options', { help: 'How the queue is declared.' })] }),
  command('cancel_consumer', 'Stop consuming from a queue', 'queue', 'The worker takes no more tasks from this queue; those it has already are run.', { ...LOST, arguments: [QUEUE] }),
  command('rate_limit', 'Limit the rate of a task', 'task name', 'Each worker starts at most so many of this task in a time.', { arguments: [TASK, argument('rate_limit', 'rate', { required: true, help: 'A number and /s, /m or /h, as 10/m.' })] }),
  command('time_limit', 'Limit the time of a task', 'task name', 'Tasks of this name that start from now on get these limits.', { arguments: [TASK, argument('soft', 'number', SECONDS), argument('hard', 'number', SECONDS)] }),
  command('revoke', 'Revoke tasks', 'task id', 'Workers that hear it will not start these tasks. One that runs already goes on.', { ...LOST, many: true, arguments: [IDS] }),
  command('terminate', 'Terminate tasks', 'task id', 'Revokes the tasks, and the process that runs one is sent a signal.', { ...LOST, many: true, arguments: [IDS, argument('signal', 'signal', { default: 'SIGTERM', choices: ['SIGTERM', 'SIGINT', 'SIGKILL'], help: 'What the process that runs the task is sent.' })] }),
  command('enable_events', 'Send task events', 'worker', 'The worker tells what becomes of each task.'),
  command('disable_events', 'Send no task events', 'worker', 'Tasks of this worker are no longer seen.', LOST),
  command('ping', 'Ping', 'worker', 'Asks who is there.', { role: 'viewer' }),
  command('async_apply', 'Send a task', 'task name', 'Sends a task that a worker knows.', { ...HERE, arguments: [TASK, argument('args', 'args'), argument('kwargs', 'kwargs'), argument('countdown', 'number', { unit: 'seconds' }), argument('eta', 'time'), QUEUE] }),
  command('abort', 'Abort tasks', 'task id', 'Tasks that look for it end by themselves.', { ...HERE, ...LOST, many: true, arguments: [IDS] }),
  command('retry', 'Run again', 'task id', 'Finished tasks are sent again with exactly the same arguments.', { ...HERE, ...LOST, many: true, arguments: [IDS] }),
  command('forget', 'Forget results', 'task id', 'Their results are taken out of the result backend.', { ...HERE, ...LOST, many: true, arguments: [IDS] }),
  command('purge', 'Purge the queue', 'queue', 'Every waiting message is deleted. Nothing brings them back.', { ...HERE, ...LOST, role: 'admin', confirm: 'queue', arguments: [QUEUE] }),
  command('pause_queue', 'Pause the queue', 'queue', 'Every worker that consumes it stops.', { ...LOST, arguments: [QUEUE] }),
  command('resume_queue', 'Resume the queue', 'queue', 'Those that were paused consume again.', { arguments: [QUEUE] }),
  command('run_entry', 'Run now', 'schedule', 'Sends now what this entry of the schedule sends.', { ...HERE, arguments: [argument('entry', 'text', { required: true })] }),
];
const actions = new Map();
const selections = new Map();
const problem = (response, status, code, message, hint = null) => json(response, { error: { code, message, hint } }, status);

function changed(action, change) {
  Object.assign(action, change, { sequence: action.sequence + 1 });
  const counts = (list, key) => list.reduce((all, one) => ({ ...all, [one[key]]: (all[one[key]] ?? 0) + 1 }), {});
  const all = [...action.workers, ...action.items];
  Object.assign(action, { now: clock(), outcomes: counts(all, 'outcome'), effects: counts(all, 'effect'), late: action.workers.filter(({ late }) => late).length, twice: action.workers.filter(({ answers }) => answers > 1).length });
}

/** The second worker refuses, the fourth is silent and late, the fifth has a namesake. */
function answered(row, index) {
  if (index % 6 === 1) return { ...row, outcome: 'refused', error: 'pool_restart is not enabled: set worker_pool_restarts', answers: 1 };
  if (index % 6 === 3) return { ...row, outcome: 'silent' };
  return { ...row, outcome: 'ok', answers: index % 6 === 4 ? 2 : 1, effect: 'pending', answered_at: clock() };
}
const SEEN = { done: 'Seen at the next inspect.', 'not seen': 'It was looked for 10 s.', 'cannot tell': 'This worker does not say.' };

function steer(found, request) {
  const asked = request.workers ?? workers.filter(({ status }) => status === 'online').map(({ hostname }) => hostname);
  const ids = selections.get(request.selection)?.ids ?? request.arguments?.ids ?? [request.arguments?.queue ?? request.arguments?.task_name ?? 'one'];
  const here = found.runs === 'here';
  const rest = { effect: 'unchecked', effect_said: '', effect_at: null, value: null };
  const action = {
    id: uuid(), sequence: 0, command: found.name, title: found.title, arguments: request.arguments ?? {}, runs: found.runs, everyone: !request.workers && !here,
    state: 'waiting', sent: 'yes', created_at: clock(), finished_at: null, timeout_seconds: 5, confirm_seconds: 10, error: '', hint: '',
    late: 0, twice: 0, unexpected: 0, total: here ? ids.length : asked.length, stoppable: here && ids.length > 1, items_left_out: 0,
    workers: here ? [] : asked.toSorted().map((hostname) => ({ hostname, expected: true, outcome: 'asked', answered_at: null, late: false, answers: 0, value_dropped: false, error: '', ...rest })),
    items: here ? ids.map((subject) => ({ subject, outcome: 'unasked', said: '', task_id: null, ...rest })) : [],
  };
  changed(action, {});
  actions.set(action.id, action);
  if (broker.state !== 'connected') return changed(action, { state: 'failed', sent: 'no', finished_at: clock(), error: broker.error, hint: broker.hint }), action;
  let step = 0;
  const timer = setInterval(() => {
    if (action.state === 'stopped') return clearInterval(timer);
    const list = here ? action.items : action.workers;
    if (step < list.length) {
      const row = list[step];
      list[step] = here ? (step % 9 === 8 ? { ...row, outcome: 'refused', said: 'Its arguments were cut: it cannot be sent as it was.' } : { ...row, outcome: 'ok', said: 'Sent again.', task_id: uuid() }) : answered(row, step);
      changed(action, {});
    } else if (step === list.length && !here) {
      changed(action, { state: 'confirming' });
    } else if (step > list.length + 4 || here) {
      clearInterval(timer);
      const effects = ['done', 'done', 'done', 'done', 'cannot tell', 'not seen'];
      action.workers = action.workers.map((row, index) => {
        if (row.effect === 'pending') return { ...row, effect: effects[index % 6], effect_said: SEEN[effects[index % 6]] };
        return row.outcome === 'silent' ? { ...row, late: true, outcome: 'ok', answers: 1 } : row;
      });
      changed(action, { state: 'finished', finished_at: clock(), stoppable: false });
    }
    step += 1;
  }, 250);
  return action;
}

async function body(request) {
  let text = '';
  for await (const part of request) text += part;
  return JSON.parse(text || '{}');
}

async function steering(request, response, noun, id, query) {
  if (noun === 'commands') return json(response, { role: 'admin', read_only: false, commands: COMMANDS });
  if (noun === 'actions' && id === undefined) return json(response, { now: clock(), actions: [...actions.values()].reverse() });
  if (noun === 'selections') {
    const { command: name, query: text } = await body(request);
    const found = taskList(new URLSearchParams({ query: text, limit: '1000' })).tasks;
    const by = Object.entries(Object.groupBy(found, (task) => task.name ?? ''));
    const selection = { id: uuid(), command: name, query: text, now: clock(), expires_at: clock() + 600, matching: found.length + 3, count: found.length, left_out: [{ reason: 'They are not finished.', count: 3 }], names: by.slice(0, 10).map(([of, list]) => ({ name: of, count: list.length })), sample: found.slice(0, 10).map((task) => task.uuid) };
    selections.set(selection.id, { ids: found.map((task) => task.uuid) });
    return json(response, selection, 201);
  }
  if (noun === 'control') {
    const found = COMMANDS.find(({ name }) => name === id);
    if (!found) return problem(response, 404, 'not_found', `There is no command ${id}.`);
    const given = await body(request);
    if (found.name === 'autoscale' && (given.arguments?.min ?? 0) > given.arguments?.max) return problem(response, 400, 'bad_argument', "'min' must be at most 'max'.", 'Give both as whole numbers.');
    return json(response, steer(found, given), 202);
  }
  const [key, verb] = (id ?? '').split('/');
  const action = actions.get(key);
  if (!action) return problem(response, 404, 'not_found', 'There is no such action.');
  if (verb === 'stop') {
    changed(action, { state: 'stopped', finished_at: clock(), stoppable: false });
    return json(response, action, 202);
  }
  const until = clock() + Number(query.get('wait') ?? 0);
  while (action.sequence <= Number(query.get('after') ?? 0) && clock() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  json(response, action);
}

// ---- who asks, who may come in, and what was done

const ROLES = ['viewer', 'operator', 'admin'];
const COOKIE = 'celeryscope-mock';
const CSRF = 'X-Celeryscope-CSRF'.toLowerCase();
const sessions = new Map();
const tokens = [];
const trail = [];

function enter(name, request) {
  const session = { id: uuid(), secret: uuid(), csrf: uuid(), name, role: ROLES.includes(name) ? name : 'viewer', way: 'password', address: '10.0.0.7', user_agent: request.headers['user-agent'] ?? '', started_at: clock(), seen_at: clock(), expires_at: clock() + 43_200 };
  sessions.set(session.secret, session);
  note('login', session, 'log in', { outcome: 'done' });
  return session;
}

function sessionOf(request) {
  const found = sessions.get(new RegExp(`${COOKIE}=([\\w-]+)`).exec(request.headers.cookie ?? '')?.[1]);
  if (found) found.seen_at = clock();
  return found;
}

function note(kind, by, what, more = {}) {
  const hash = () => (uuid() + uuid()).replaceAll('-', '');
  trail.unshift({ seq: trail.length + 1, at: clock(), kind, what, by: { name: by.name, role: by.role ?? 'admin', way: by.way ?? 'anonymous', address: '10.0.0.7', session: by.id ?? '', token: '' }, whom: null, arguments: {}, outcome: '', detail: '', action: '', prev: trail[0]?.hash ?? '0'.repeat(64), hash: hash(), ...more });
}

for (let step = 0; step < 140; step += 1) {
  const by = { name: pick(['ada', 'grace', 'linus', 'deploy']), role: pick(ROLES), way: 'password', id: 's1' };
  const found = pick(['revoke', 'pool_grow', 'retry', 'purge']);
  const action = uuid();
  const whom = found === 'pool_grow' ? { workers: ['celery@web1'], workers_left_out: 0, subjects: [], left_out: 0 } : { workers: null, workers_left_out: 0, subjects: found === 'purge' ? ['mail'] : [uuid(), uuid()], left_out: found === 'retry' ? 40 : 0 };
  note('command', by, found, { whom, action, outcome: 'asked', arguments: { signal: 'SIGTERM', kwargs: '***' } });
  if (step % 9 !== 5) note('outcome', by, found, { whom, action, outcome: pick(['done', 'done', 'partly', 'failed']), detail: '2 of 2 did' });
  if (step % 11 === 3) note('login failed', { name: '\u202eroot<script>', role: '', way: 'anonymous' }, 'log in', { outcome: 'denied' });
  if (step % 17 === 4) note('denied', { ...by, role: 'viewer' }, "POST /api/v1/control/shutdown", { outcome: 'denied' });
}
for (const entry of trail) entry.at = clock() - (trail[0].seq - entry.seq) * 137;

function audit(response, query) {
  const has = (text, wanted) => text.toLowerCase().includes((wanted ?? '').toLowerCase());
  const found = trail.filter((entry) =>
    has(JSON.stringify(entry), query.get('text')) && has(entry.by.name, query.get('who')) && has(entry.what, query.get('what')) &&
    has(JSON.stringify(entry.whom ?? ''), query.get('whom')) && has(entry.outcome, query.get('outcome')) && has(entry.action, query.get('action')) &&
    (query.getAll('kind').length === 0 || query.getAll('kind').includes(entry.kind)) &&
    entry.at >= Number(query.get('since') ?? 0) && entry.at < Number(query.get('until') ?? Infinity) && entry.seq < Number(query.get('before') ?? Infinity));
  const entries = found.slice(0, Number(query.get('limit') ?? 100));
  json(response, { now: clock(), entries, next: entries.length < found.length ? entries.at(-1).seq : null, unreadable: 0, error: null, unwritten: 0, kept: true });
}

async function access(request, response, noun, id, query, session) {
  const who = session ?? { name: 'anonymous', role: 'admin', way: 'anonymous', csrf: null, expires_at: null };
  if (noun === 'me') {
    const scope = who.name === 'limited' ? { queues: ['mail*', 'media'], tasks: ['shop.*'] } : { queues: [], tasks: [] };
    return json(response, { name: who.name, role: who.role, way: who.way, scope, read_only: false, login: flags.login, csrf: who.csrf, expires_at: who.expires_at, can_log_out: session !== undefined });
  }
  const [key, verb] = (id ?? '').split('/');
  const row = ({ secret: _, csrf: __, ...rest }) => ({ ...rest, current: rest.id === session?.id });
  if (noun === 'sessions' && verb === 'revoke') {
    const found = [...sessions.values()].find((other) => other.id === key);
    if (!found) return problem(response, 404, 'not_found', 'There is no such session.');
    sessions.delete(found.secret);
    for (const stream of streams) stream.end();
    return json(response, row(found));
  }
  if (noun === 'sessions') return json(response, { now: clock(), sessions: [...sessions.values()].map(row) });
  if (noun === 'audit' && id === 'export') return response.writeHead(200, { 'content-type': 'application/jsonl', 'content-disposition': 'attachment; filename="celeryscope-audit.jsonl"' }).end(trail.map((entry) => JSON.stringify(entry)).join('\n'));
  if (noun === 'audit') return audit(response, query);
  if (verb === 'revoke') {
    const at = tokens.findIndex((other) => other.id === key);
    return json(response, tokens.splice(at, 1)[0]);
  }
  if (request.method === 'POST') {
    const given = await body(request);
    const token = { id: uuid().slice(0, 8), name: given.name, role: given.role, scope: { queues: given.queues, tasks: given.tasks }, owner: who.name, created_at: clock(), expires_at: given.expires_in === null ? null : clock() + given.expires_in, used_at: null, expired: false };
    tokens.push(token);
    note('token', who, 'token created', { whom: { workers: null, workers_left_out: 0, subjects: [given.name], left_out: 0 }, outcome: 'done' });
    return json(response, { token, secret: `cscope_${token.id}_${uuid()}${uuid().slice(0, 7)}` }, 201);
  }
  json(response, { now: clock(), tokens, roles: ROLES.slice(0, ROLES.indexOf(who.role) + 1) });
}

async function login(request, response, url) {
  const show = (error, next) => {
    const html = readFileSync(join(DIST, 'login.html'), 'utf8')
      .replace('<base href="/" />', `<base href="${PREFIX}/" />`)
      .replace('<!--error-->', error && `<p class="error" role="alert">${error}</p>`)
      .replace('<!--label-->', 'Keycloak')
      .replace('value="__NEXT__"', `value="${next.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"`)
      .replaceAll('__NEXT__', encodeURIComponent(next));
    response.writeHead(error ? 401 : 200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY });
    response.end(html);
  };
  if (request.method !== 'POST') return show('', url.searchParams.get('next') ?? `${PREFIX}/`);
  let text = '';
  for await (const part of request) text += part;
  const form = new URLSearchParams(text);
  if (form.get('password') === 'wrong') return show('The name or the password is wrong.', form.get('next') ?? '/');
  const session = enter(form.get('name'), request);
  response.writeHead(303, { location: form.get('next') || `${PREFIX}/`, 'set-cookie': `${COOKIE}=${session.secret}; Path=/; HttpOnly; SameSite=Lax` }).end();
}

const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.html': 'text/html' };
function page(response, path) {
  const file = join(DIST, normalize(path));
  const asset = file.startsWith(DIST) && extname(file) !== '' && existsSync(file);
  const name = asset ? file : join(DIST, 'index.html');
  let body = readFileSync(name);
  if (!asset) body = body.toString().replace('<base href="/" />', `<base href="${PREFIX}/" />`);
  response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'text/plain', 'content-security-policy': POLICY });
  response.end(body);
}

function control(url, response) {
  if (url.pathname === '/mock/broker') {
    const state = url.searchParams.get('state') ?? 'connected';
    const down = state !== 'connected';
    broker = { ...broker, state, since: clock(), error: down ? 'Error 111 connecting to cache-1.internal:6379. Connection refused.' : null, hint: down ? 'Is Redis running there, and is the port open from this machine?' : null };
  } else if (url.pathname === '/mock/silence') {
    silent = url.searchParams.get('on') === '1';
  } else if (url.pathname === '/mock/restart') {
    server = uuid();
    tasks.clear();
    for (const stream of streams) stream.end();
  } else if (url.pathname === '/mock/streams') {
    return json(response, { streams: streams.size });
  }
  json(response, { broker: broker.state, server, silent });
}

createServer((request, response) => {
  const url = new URL(request.url, 'http://mock');
  if (url.pathname.startsWith('/mock/')) return control(url, response);
  if (!url.pathname.startsWith(PREFIX)) return json(response, {}, 404);
  const path = url.pathname.slice(PREFIX.length);
  const session = sessionOf(request);
  if (path === '/login') return void login(request, response, url);
  if (path === '/logout') {
    sessions.delete(session?.secret);
    for (const stream of streams) stream.end();
    return json(response, { to: `${PREFIX}/login` });
  }
  const asset = extname(path) !== '' && !path.startsWith('/api/');
  if (flags.login && !session && !asset) {
    if (path.startsWith('/api/')) return problem(response, 401, 'not_logged_in', 'Log in first.');
    return response.writeHead(303, { location: `${PREFIX}/login?next=${encodeURIComponent(request.url)}` }).end();
  }
  if (session && request.method === 'POST' && request.headers[CSRF] !== session.csrf) return problem(response, 403, 'csrf', 'The page is not ours.');
  const api = /^\/api\/v1\/([a-z.]+)(?:\/(.+))?$/.exec(path);
  if (!api) return page(response, path);
  const [, noun, key] = api;
  const id = key === undefined ? undefined : decodeURIComponent(key);
  const missing = (what) => json(response, { error: { code: 'not_found', message: `There is no ${what} ${id}.`, hint: null } }, 404);
  if (['me', 'sessions', 'tokens', 'audit'].includes(noun)) return void access(request, response, noun, id, url.searchParams, session);
  if (['commands', 'control', 'actions', 'selections'].includes(noun)) return void steering(request, response, noun, id, url.searchParams);
  if (noun === 'live') return live(request, response, url.searchParams);
  if (noun === 'overview') return json(response, overview());
  if (noun === 'queues') return json(response, { now: clock(), queues, error: broker.error, read_at: clock() - 2, every_seconds: 5 });
  if (noun === 'names') return json(response, { names: [...names.values()] });
  if (noun === 'workers' && id === undefined) return json(response, { now: clock(), workers, broker });
  if (noun === 'workers') return workerDetail(id) ? json(response, workerDetail(id)) : missing('worker');
  if (noun === 'tasks' && id === undefined) return json(response, taskList(url.searchParams));
  if (noun === 'tasks') return taskDetail(id) ? json(response, taskDetail(id)) : missing('task');
  json(response, {}, 404);
}).listen(Number(flags.port), '127.0.0.1', () => console.log(`http://127.0.0.1:${flags.port}${PREFIX}/`));
