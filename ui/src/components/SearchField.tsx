import { ActionIcon, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useState } from 'react';

import { Icon } from './Icon';
import styles from './Toolbar.module.css';

interface SearchFieldProps {
  label: string;
  value: string;
  onSearch: (value: string) => void;
}

const TYPING_MS = 250;

/** A search that follows the typing, and the address when that changes by other means. */
export function SearchField({ label, value, onSearch }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const search = useDebouncedCallback(onSearch, TYPING_MS);
  useEffect(() => {
    setText(value);
  }, [value]);
  const change = (next: string) => {
    setText(next);
    search(next);
  };
  return (
    <TextInput
      className={styles.search}
      type="search"
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={({ currentTarget }) => change(currentTarget.value)}
      leftSection={<Icon name="search" size={14} />}
      rightSection={
        text !== '' && (
          <ActionIcon size={22} aria-label="Clear the search" onClick={() => change('')}>
            <Icon name="close" size={13} />
          </ActionIcon>
        )
      }
    />
  );
}
