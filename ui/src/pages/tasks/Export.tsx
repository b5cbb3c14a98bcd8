/** All tasks that match, as one file. */

import { client } from '~/api/queries';
import { Icon } from '~/components/Icon';
import { plural } from '~/lib/format';

import styles from './menus.module.css';

const FORMATS = [
  ['csv', 'CSV', 'for a spreadsheet'],
  ['json', 'JSON', 'one list'],
  ['jsonl', 'JSON Lines', 'a task a line, for programs'],
] as const;

export interface ExportProps {
  query: string | null;
  total: number | null;
  whole: boolean; // of the total: there are no more
}

export default function Export({ query, total, whole }: ExportProps) {
  if (query === null) return <p className={styles.note}>The query is none: nothing to export.</p>;
  return (
    <>
      <p className={styles.note}>
        {total === null ? 'All tasks' : whole ? plural(total, 'task') : `More than ${plural(total, 'task')}`}
        {query === '' ? ' of the history' : ' that match'}, newest first. They are sent as they are found.
      </p>
      <ul className={styles.list}>
        {FORMATS.map(([format, name, what]) => (
          <li key={format}>
            <a href={client.historyExport(query, format)} download data-testid={`export-${format}`}>
              <Icon name="download" size={14} /> <strong>{name}</strong> <span>{what}</span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
