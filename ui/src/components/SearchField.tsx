import { useEffect, useRef, useState } from 'react';

import { IconButton } from './Button';
import { Icon } from './Icon';
import styles from './Toolbar.module.css';

interface SearchFieldProps {
  label: string;
  value: string;
  onSearch: (value: string) => void;
}

const TYPING_MS = 250;

/** A search that follows the typing, and the address when that changes by other means. `/` goes here. */
export function SearchField({ label, value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const typing = useRef(0);
  useEffect(() => {
    setText(value);
  }, [value]);
  useEffect(() => () => window.clearTimeout(typing.current), []);
  const change = (next: string) => {
    setText(next);
    window.clearTimeout(typing.current);
    typing.current = window.setTimeout(() => onSearch(next), TYPING_MS);
  };
  return (
    <div className={styles.search}>
      <Icon name="search" size={14} />
      <input
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onChange={({ currentTarget }) => change(currentTarget.value)}
        data-search
      />
      {text !== '' && (
        <IconButton icon="close" size="sm" label="Clear the search" onClick={() => change('')} />
      )}
    </div>
  );
}
