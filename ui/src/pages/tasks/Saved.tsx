/** Searches that were kept under a name: one's own, and those that others share. */

import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { ApiError, type HistorySort, type SavedSearch } from '~/api/client';
import { client, useMe, useSavedSearches } from '~/api/queries';
import { Button, IconButton } from '~/components/Button';
import form from '~/components/Form.module.css';
import { Trouble, Waiting } from '~/components/Notice';
import { Line } from '~/components/Plain';
import { visible } from '~/lib/text';

import styles from './menus.module.css';

const LONGEST_NAME = 80;

export interface SavedProps {
  query: string; // as it is written now
  wrong: boolean; // it is none
  sort: HistorySort;
  onApply: (search: SavedSearch) => void;
}

export default function Saved({ query, wrong, sort, onApply }: SavedProps) {
  const { data, error } = useSavedSearches();
  const me = useMe().data;
  if (error && !data) {
    const off = error instanceof ApiError && error.status === 409;
    return off ? <p className={styles.note}>{visible(error.message)} {error.hint !== null && visible(error.hint)}</p> : <Trouble error={error} />;
  }
  if (!data) return <Waiting what="the saved searches" />;
  return (
    <>
      {data.searches.length === 0 && <p className={styles.note}>No search is saved yet.</p>}
      <ul className={styles.saved} data-testid="saved-searches">
        {data.searches.map((search) => (
          <One key={search.id} search={search} admin={me?.role === 'admin'} onApply={onApply} />
        ))}
      </ul>
      <Save query={query} wrong={wrong} sort={sort} />
    </>
  );
}

interface OneProps {
  search: SavedSearch;
  admin: boolean;
  onApply: (search: SavedSearch) => void;
}

function One({ search, admin, onApply }: OneProps) {
  const queries = useQueryClient();
  const removing = useMutation({
    mutationFn: () => client.removeSearch(search.id),
    onSettled: () => queries.invalidateQueries({ queryKey: ['searches'] }),
  });
  const { yours: mine } = search;
  const name = visible(search.name);
  return (
    <li data-name={search.name}>
      <button type="button" className={styles.apply} onClick={() => onApply(search)}>
        <strong>
          <Line text={search.name} />
        </strong>
        <span className={styles.query}>{search.query === '' ? 'every task' : <Line text={search.query} mono />}</span>
        {(search.shared || !mine) && (
          <span className={styles.owner}>
            {mine ? 'shared' : <>shared by <Line text={search.owner} /></>}
          </span>
        )}
      </button>
      {(mine || admin) && (
        <IconButton icon="close" size="sm" label={`Remove the search ${name}`} disabled={removing.isPending} onClick={() => removing.mutate()} />
      )}
      {removing.error && <p className={styles.wrong} role="alert">{visible(removing.error.message)}</p>}
    </li>
  );
}

function Save({ query, wrong, sort }: Pick<SavedProps, 'query' | 'wrong' | 'sort'>) {
  const queries = useQueryClient();
  const [name, setName] = useState('');
  const [shared, setShared] = useState(false);
  const saving = useMutation({
    mutationFn: () => client.saveSearch({ name: name.trim(), query, sort, shared }),
    onSuccess: () => {
      setName('');
      return queries.invalidateQueries({ queryKey: ['searches'] });
    },
  });
  const save = () => {
    if (name.trim() !== '' && !wrong) saving.mutate();
  };
  return (
    <form
      className={styles.form}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
    >
      <p className={styles.note}>
        {wrong ? 'What is written now is no query: it cannot be saved.' : query === '' ? 'Save the list of every task:' : <>Save <Line text={query} mono /></>}
      </p>
      <div className={styles.line}>
        <input
          className={form.input}
          aria-label="Name of the search"
          placeholder="Name"
          maxLength={LONGEST_NAME}
          value={name}
          onChange={({ currentTarget }) => setName(currentTarget.value)}
          data-testid="save-name"
        />
        <Button onClick={save} disabled={name.trim() === '' || wrong || saving.isPending} data-testid="save-search">
          Save
        </Button>
      </div>
      <label className={styles.check}>
        <input type="checkbox" checked={shared} onChange={({ currentTarget }) => setShared(currentTarget.checked)} />
        Others see it, too
      </label>
      {saving.error && (
        <p className={styles.wrong} role="alert">
          {visible(saving.error.message)} {saving.error instanceof ApiError && saving.error.hint !== null && visible(saving.error.hint)}
        </p>
      )}
    </form>
  );
}
