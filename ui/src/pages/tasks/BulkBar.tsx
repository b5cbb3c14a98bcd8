/** What is chosen, and what can be done to it. The dialog says what it would touch before it does. */

import { useMutation } from '@tanstack/react-query';

import { ApiError } from '~/api/client';
import { useCommands } from '~/api/control';
import { client } from '~/api/queries';
import { Button, IconButton } from '~/components/Button';
import { useControl } from '~/components/control/useControl';
import { count, plural } from '~/lib/format';
import { MOST_BY_HAND, type Selection, fitting, isFull, queryFor } from '~/lib/selection';
import { visible } from '~/lib/text';

import styles from './BulkBar.module.css';

interface BulkBarProps {
  selection: Selection;
  total: number | null; // tasks that match now, in memory and in the history
  whole: boolean; // there are no more
  onAll: () => void;
  onClear: () => void;
}

export default function BulkBar({ selection, total, whole, onAll, onClear }: BulkBarProps) {
  const { may, ask } = useControl();
  const commands = useCommands().data?.commands;
  const choosing = useMutation({
    mutationFn: async ({ command, query }: { command: string; query: string }) => {
      const found = await client.select({ command, query });
      // An id stands for those that begin with it, too; those were not chosen.
      if (selection.kind === 'rows' && found.matching > selection.rows.size) {
        throw new Error('One of these ids is the beginning of another one: select fewer, or write a query.');
      }
      return found;
    },
    onSuccess: (found) => ask({ command: found.command, selection: found, subject: plural(found.count, 'task') }),
  });
  const all = total === null || !whole ? '' : `${count(total)} `;
  const query = queryFor(selection);
  const offered = fitting(selection).filter(may);
  return (
    <div className={styles.bar} role="region" aria-label="What is selected" data-testid="bulk">
      <p className={styles.told} role="status" data-testid="bulk-count">
        <strong>{selection.kind === 'all' ? `All ${all}that match` : `${count(selection.rows.size)} selected`}</strong>
        {isFull(selection) && <span className={styles.note}> {MOST_BY_HAND} are the most by hand</span>}
      </p>
      {selection.kind === 'rows' && total !== null && total > 0 && (
        <Button look="quiet" onClick={onAll} title="A" data-testid="bulk-all">
          All {all}that match
        </Button>
      )}
      <div className={styles.actions}>
        {offered.map((name) => {
          const title = commands?.find((one) => one.name === name)?.title ?? name;
          return (
            <Button
              key={name}
              disabled={query === null || choosing.isPending}
              onClick={() => query !== null && choosing.mutate({ command: name, query })}
              data-command={name}
            >
              {title} …
            </Button>
          );
        })}
        {offered.length === 0 && <span className={styles.note}>Nothing can be done to these.</span>}
      </div>
      <IconButton icon="close" label="Select none (Esc)" onClick={onClear} />
      {query === null && <p className={styles.wrong}>Their ids are too long to be named together. Select fewer.</p>}
      {choosing.error && (
        <p className={styles.wrong} role="alert">
          {visible(choosing.error.message)} {choosing.error instanceof ApiError && choosing.error.hint !== null && visible(choosing.error.hint)}
        </p>
      )}
    </div>
  );
}
