/**
 * The keys of the page: one registry, which everything that has keys tells of them while it is
 * shown. Pure; `components/useKeys.ts` is its end in the browser.
 *
 *   useKeys('Tasks', [
 *     { keys: 'j', does: 'Next task', run: () => move(1) },
 *     { keys: 'Escape', does: 'Close the task', run: close, when: open },
 *   ]);
 *
 * - `keys` is one key as KeyboardEvent.key names it (`j`, `J`, `/`, `?`, `Enter`, `Escape`,
 *   `ArrowDown`), or several with blanks between, pressed one after the other: `g o`.
 * - The group ('Tasks') is the heading in the list that `?` shows.
 * - What was registered last wins: a drawer's Escape goes before its list's. `when: false` lets a
 *   key through to whoever else has it, and leaves it out of the list.
 * - A key never fires with Ctrl, Alt or Meta, nor in an input; Enter and the space bar not on a
 *   button or a link either, which they press. `j` and `J` are two keys.
 * - `Mod+k` is Ctrl-K, or Cmd-K on a Mac: it fires everywhere, in an input too.
 */

export interface Binding {
  keys: string;
  does: string; // in the list of all keys
  run: () => void;
  when?: boolean; // default true
}

export interface KeyGroup {
  title: string;
  bindings: readonly Binding[];
}

/** A key that went down, and where. */
export interface Stroke {
  key: string;
  modified: boolean; // Ctrl, Alt or Meta is held
  command?: boolean; // Ctrl or Meta is held, and nothing else
  on: 'page' | 'control' | 'field'; // field: text goes in there · control: a button, a link
  at: number; // milliseconds
}

const NEXT_WITHIN_MS = 1_200; // between the keys of a sequence
const PRESSES = new Set(['Enter', ' ']);
const HOLDS = new Set(['Shift', 'Control', 'Alt', 'AltGraph', 'Meta', 'CapsLock']);

export class Keymap {
  readonly #groups = new Map<symbol, () => KeyGroup>();
  #begun: string[] = []; // of a sequence that may go on
  #lastAt = 0;

  /** Until the returned function is called. `group` is asked at each stroke. */
  add(group: () => KeyGroup): () => void {
    const id = Symbol('keys');
    this.#groups.set(id, group);
    return () => void this.#groups.delete(id);
  }

  /** Runs what the stroke stands for, if anything; true: nobody else may have it. */
  press(stroke: Stroke): boolean {
    // Shift goes down before `?` does: no key of its own, and no end of a sequence.
    if (HOLDS.has(stroke.key)) return false;
    if (stroke.command) {
      this.#begun = [];
      return this.#run(`Mod+${stroke.key.toLowerCase()}`);
    }
    const refused =
      stroke.modified ||
      stroke.on === 'field' ||
      (stroke.on === 'control' && PRESSES.has(stroke.key));
    if (refused) {
      this.#begun = [];
      return false;
    }
    if (stroke.at - this.#lastAt > NEXT_WITHIN_MS) this.#begun = [];
    this.#lastAt = stroke.at;
    return this.#step([...this.#begun, stroke.key]) || this.#step([stroke.key]);
  }

  #step(pressed: string[]): boolean {
    const text = pressed.join(' ');
    const bindings = active(this.#now());
    const found = bindings.find(({ keys }) => keys === text);
    const goesOn = !found && bindings.some(({ keys }) => keys.startsWith(`${text} `));
    this.#begun = goesOn ? pressed : [];
    found?.run();
    return found !== undefined || goesOn;
  }

  #run(keys: string): boolean {
    const found = active(this.#now()).find((binding) => binding.keys === keys);
    found?.run();
    return found !== undefined;
  }

  #now(): KeyGroup[] {
    return [...this.#groups.values()].map((group) => group());
  }

  /** What works now, for people: groups of one title together, each key once. */
  list(): KeyGroup[] {
    const groups = this.#now();
    const first = new Map(active(groups).reverse().map((binding) => [binding.keys, binding]));
    const titles = new Map<string, Binding[]>();
    for (const { title, bindings } of groups) {
      const working = bindings.filter((binding) => first.get(binding.keys) === binding);
      if (working.length > 0) titles.set(title, [...(titles.get(title) ?? []), ...working]);
    }
    return [...titles].map(([title, bindings]) => ({ title, bindings }));
  }
}

/** What was registered last, first. */
function active(groups: readonly KeyGroup[]): Binding[] {
  return [...groups].reverse().flatMap(({ bindings }) => bindings.filter(({ when = true }) => when));
}

const NAMES: Record<string, string> = {
  Escape: 'Esc',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  ' ': 'Space',
};

/** The keys of a binding as they stand on a keyboard: `g o` → `['g', 'o']`, `Mod+k` → `['Ctrl', 'K']`. */
export function caps(keys: string): string[] {
  if (keys.startsWith('Mod+')) return ['Ctrl', keys.slice('Mod+'.length).toUpperCase()];
  return keys.split(' ').map((key) => NAMES[key] ?? key);
}
