import { useEffect, useState } from 'react';

import { IconButton } from './Button';
import type { IconName } from './Icon';

const SAID_MS = 1_500;

/** Copies text as it is: what the cluster sent, not what the page shows of it. */
export function CopyButton({ text, what, icon = 'copy' }: { text: string; what: string; icon?: IconName }) {
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null);
  useEffect(() => {
    if (outcome === null) return;
    const timer = window.setTimeout(() => setOutcome(null), SAID_MS);
    return () => window.clearTimeout(timer);
  }, [outcome]);
  const label = { copied: `Copied ${what}`, refused: `The browser does not let ${what} be copied` };
  return (
    <IconButton
      icon={outcome === 'copied' ? 'check' : outcome === 'refused' ? 'warning' : icon}
      size="sm"
      label={outcome === null ? `Copy ${what}` : label[outcome]}
      onClick={() => void copy(text).then((done) => setOutcome(done ? 'copied' : 'refused'))}
    />
  );
}

/** The clipboard's own interface exists in secure contexts only; consoles are often plain HTTP. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const focused = document.activeElement;
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'sr';
  document.body.append(area);
  area.select();
  // Deprecated, and the only way there is without a secure context.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const done = document.execCommand('copy');
  area.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return done;
}
