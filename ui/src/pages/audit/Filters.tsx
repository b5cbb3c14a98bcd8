import { useState } from 'react';

import { client } from '~/api/queries';
import { useNow } from '~/api/live';
import { Icon } from '~/components/Icon';
import { SearchField } from '~/components/SearchField';
import toolbar from '~/components/Toolbar.module.css';
import { KIND_WORDS, OUTCOMES, auditFilter, filtersSet, fromLocal, toLocal } from '~/lib/audit';
import { type AuditSearch, KINDS, type Kind, SPANS } from '~/lib/audit-search';
import { plural } from '~/lib/format';
import { visible } from '~/lib/text';

import styles from './audit.module.css';

interface FiltersProps {
  search: AuditSearch;
  onChange: (change: AuditSearch) => void;
}

const NONE: Required<AuditSearch> = { text: '', who: '', what: '', whom: '', kind: [], outcome: '', since: '', until: '', action: '' };

/** What is asked for; all of it stands in the address. */
export function Filters({ search, onChange }: FiltersProps) {
  const set = filtersSet(search);
  return (
    <div className={styles.filters} role="search" aria-label="The audit trail">
      <div className={styles.text}>
        <SearchField label="Find in everything" value={search.text ?? ''} onSearch={(text) => onChange({ text })} />
      </div>
      <Field label="Who" value={search.who} onSearch={(who) => onChange({ who })} />
      <Field label="What" value={search.what} onSearch={(what) => onChange({ what })} />
      <Field label="At whom" value={search.whom} onSearch={(whom) => onChange({ whom })} />
      <Kinds chosen={search.kind ?? []} onChange={(kind) => onChange({ kind })} />
      <select
        className={styles.select}
        aria-label="Outcome"
        value={search.outcome ?? ''}
        onChange={({ currentTarget }) => onChange({ outcome: currentTarget.value })}
        data-testid="audit-outcome"
      >
        <option value="">Any outcome</option>
        {[...new Set([...OUTCOMES, ...(search.outcome ? [search.outcome] : [])])].map((outcome) => (
          <option key={outcome} value={outcome}>
            {visible(outcome)}
          </option>
        ))}
      </select>
      <Times search={search} onChange={onChange} />
      {search.action !== undefined && (
        <button type="button" className={toolbar.chip} aria-pressed onClick={() => onChange({ action: '' })} title={visible(search.action)}>
          One action
          <Icon name="close" size={12} />
        </button>
      )}
      {set > 1 && (
        <button type="button" className={styles.clear} onClick={() => onChange({ ...NONE, text: search.text ?? '' })}>
          Clear {plural(set, 'filter')}
        </button>
      )}
    </div>
  );
}

function Field({ label, value = '', onSearch }: { label: string; value?: string; onSearch: (value: string) => void }) {
  return (
    <div className={styles.field}>
      <SearchField label={label} value={value} onSearch={onSearch} />
    </div>
  );
}

/** One kind at a time; an address may name several. */
function Kinds({ chosen, onChange }: { chosen: readonly Kind[]; onChange: (kinds: Kind[]) => void }) {
  const several = chosen.length > 1;
  return (
    <select
      className={styles.select}
      aria-label="Kind"
      value={several ? 'several' : (chosen[0] ?? '')}
      onChange={({ currentTarget }) => onChange(KINDS.filter((kind) => kind === currentTarget.value))}
      data-testid="audit-kind"
    >
      <option value="">Every kind</option>
      {several && <option value="several">{plural(chosen.length, 'kind')}</option>}
      {KINDS.map((kind) => (
        <option key={kind} value={kind}>{KIND_WORDS[kind]}</option>
      ))}
    </select>
  );
}

const BETWEEN = 'between';

function Times({ search: { since = '', until = '' }, onChange }: FiltersProps) {
  const spanned = SPANS.some(({ value }) => value === since);
  const [choosing, setChoosing] = useState(false);
  const between = choosing || (!spanned && (since !== '' || until !== ''));
  return (
    <>
      <select
        className={styles.select}
        aria-label="Time"
        value={between ? BETWEEN : since}
        onChange={({ currentTarget: { value } }) => {
          setChoosing(value === BETWEEN);
          onChange({ since: value === BETWEEN ? '' : value, until: '' });
        }}
        data-testid="audit-time"
      >
        <option value="">Any time</option>
        {SPANS.map(({ value, word }) => (
          <option key={value} value={value}>{word}</option>
        ))}
        <option value={BETWEEN}>From … until …</option>
      </select>
      {between && (
        <span className={styles.between}>
          <Moment label="From" value={since} onChange={(next) => onChange({ since: next })} />
          <Moment label="Until" value={until} onChange={(next) => onChange({ until: next })} />
        </span>
      )}
    </>
  );
}

function Moment({ label, value, onChange }: { label: string; value: string; onChange: (moment: string) => void }) {
  return (
    <input
      type="datetime-local"
      step={1}
      className={styles.select}
      aria-label={label}
      title={label}
      value={toLocal(value)}
      onChange={({ currentTarget }) => onChange(fromLocal(currentTarget.value))}
    />
  );
}

const MINUTE = 60;

/** The same entries as one file. */
export function Exports({ search }: { search: AuditSearch }) {
  const filter = auditFilter(search, Math.floor(useNow() / MINUTE) * MINUTE);
  return (
    <span className={styles.exports}>
      Export
      <a href={client.auditExport(filter, 'jsonl')} download data-testid="export-jsonl">JSON Lines</a>
      <a href={client.auditExport(filter, 'csv')} download data-testid="export-csv">CSV</a>
    </span>
  );
}
