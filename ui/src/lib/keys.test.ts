import { describe, expect, it } from 'vitest';

import { type Binding, Keymap, type Stroke, caps } from './keys';

function keyboard(...groups: (readonly [string, readonly Omit<Binding, 'run'>[]])[]) {
  const ran: string[] = [];
  const map = new Keymap();
  const remove = groups.map(([title, bindings]) =>
    map.add(() => ({
      title,
      bindings: bindings.map((binding) => ({ ...binding, run: () => void ran.push(binding.does) })),
    })),
  );
  let at = 0;
  const press = (key: string, { wait = 100, ...stroke }: Partial<Stroke> & { wait?: number } = {}) =>
    map.press({ key, modified: false, on: 'page', at: (at += wait), ...stroke });
  return { map, press, ran, remove };
}

const LIST = ['Tasks', [{ keys: 'j', does: 'next' }, { keys: 'Escape', does: 'leave' }, { keys: 'Enter', does: 'open' }]] as const;
const GO = ['Pages', [{ keys: 'g o', does: 'overview' }, { keys: 'g t', does: 'tasks' }, { keys: '?', does: 'help' }]] as const;

describe('a key', () => {
  it('runs what it stands for, and is taken', () => {
    const { press, ran } = keyboard(LIST);
    expect(press('j')).toBe(true);
    expect(press('x')).toBe(false);
    expect(ran).toEqual(['next']);
  });

  it.each<[string, string, Partial<Stroke>]>([
    ['with a modifier', 'j', { modified: true }],
    ['in a field', 'j', { on: 'field' }],
    ['as Enter on a button, which it presses', 'Enter', { on: 'control' }],
    ['in another case', 'J', {}],
  ])('does not fire %s', (_, key, stroke) => {
    const { press, ran } = keyboard(LIST);
    expect(press(key, stroke)).toBe(false);
    expect(ran).toEqual([]);
  });

  it.each<[Partial<Stroke>]>([[{}], [{ on: 'field' }], [{ on: 'control' }], [{ key: 'K' }]])(
    'with Ctrl or Cmd fires everywhere: %j',
    (where) => {
      const { press, ran } = keyboard(LIST, ['Everywhere', [{ keys: 'Mod+k', does: 'find' }, { keys: 'k', does: 'before' }]]);
      expect(press(where.key ?? 'k', { modified: true, command: true, ...where })).toBe(true);
      expect(press('j', { modified: true, command: true })).toBe(false);
      expect(ran).toEqual(['find']);
    },
  );

  it('fires on a button when it does not press it', () => {
    const { press, ran } = keyboard(LIST);
    press('j', { on: 'control' });
    expect(ran).toEqual(['next']);
  });

  it('belongs to who registered it last, until that is gone or lets it through', () => {
    let open = true;
    const ran: string[] = [];
    const map = new Keymap();
    const escape = (does: string) => ({ keys: 'Escape', does, run: () => void ran.push(does) });
    map.add(() => ({ title: 'List', bindings: [escape('list')] }));
    const remove = map.add(() => ({ title: 'Drawer', bindings: [{ ...escape('drawer'), when: open }] }));
    const press = () => map.press({ key: 'Escape', modified: false, on: 'page', at: 0 });
    press();
    open = false;
    press();
    open = true;
    remove();
    press();
    expect(ran).toEqual(['drawer', 'list', 'list']);
  });
});

describe('a sequence', () => {
  it('runs at its last key, and takes the ones before', () => {
    const { press, ran } = keyboard(GO);
    expect(press('g')).toBe(true);
    expect(ran).toEqual([]);
    expect(press('t')).toBe(true);
    expect(ran).toEqual(['tasks']);
  });

  it('is forgotten after a while', () => {
    const { press, ran } = keyboard(GO);
    press('g');
    expect(press('o', { wait: 2_000 })).toBe(false);
    expect(ran).toEqual([]);
  });

  it('ends at a key that does not go on, which then counts for itself', () => {
    const { press, ran } = keyboard(GO, LIST);
    press('g');
    press('j');
    press('o');
    expect(ran).toEqual(['next']);
  });

  it('goes on over Shift, and not over a word typed in a field', () => {
    const { press, ran } = keyboard(['Pages', [{ keys: 'g ?', does: 'both' }]]);
    press('g');
    press('Shift');
    press('?');
    expect(ran).toEqual(['both']);
    press('g');
    press('a', { on: 'field' });
    press('?');
    expect(ran).toEqual(['both']);
  });
});

describe('the list', () => {
  it('has what works now: groups of one title together, each key under who has it', () => {
    const { map, remove } = keyboard(
      LIST,
      GO,
      ['Drawer', [{ keys: 'Escape', does: 'close' }]],
      ['Tasks', [{ keys: 'k', does: 'before' }, { keys: 'x', does: 'not now', when: false }]],
    );
    const told = () =>
      map.list().map(({ title, bindings }) => [title, ...bindings.map(({ does }) => does)]);
    expect(told()).toEqual([
      ['Tasks', 'next', 'open', 'before'],
      ['Pages', 'overview', 'tasks', 'help'],
      ['Drawer', 'close'],
    ]);
    remove[2]?.();
    expect(told()[0]).toEqual(['Tasks', 'next', 'leave', 'open', 'before']);
  });

  it('names keys as they stand on a keyboard', () => {
    expect(caps('g o')).toEqual(['g', 'o']);
    expect(caps('Escape')).toEqual(['Esc']);
    expect(caps('ArrowDown')).toEqual(['↓']);
  });
});
