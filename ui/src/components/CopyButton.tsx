import { ActionIcon } from '@mantine/core';
import { useClipboard } from '@mantine/hooks';

import { Icon } from './Icon';

/** Copies text as it is: what the cluster sent, not what the page shows of it. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const clipboard = useClipboard({ timeout: 1500 });
  const label = clipboard.copied ? `Copied ${what}` : `Copy ${what}`;
  return (
    <ActionIcon size={24} aria-label={label} title={label} onClick={() => clipboard.copy(text)}>
      <Icon name={clipboard.copied ? 'check' : 'copy'} size={14} />
    </ActionIcon>
  );
}
