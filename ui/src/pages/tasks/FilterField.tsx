import { ActionIcon, Autocomplete } from '@mantine/core';
import { useEffect, useState } from 'react';

import { Icon } from '~/components/Icon';
import { Line } from '~/components/Plain';
import toolbar from '~/components/Toolbar.module.css';

interface FilterFieldProps {
  label: string;
  value: string;
  options: readonly string[];
  onChoose: (value: string) => void;
  onFocus: () => void;
}

const OPTIONS_SHOWN = 60;

/** One exact value: chosen from a list, or typed and confirmed by Enter or by leaving the field. */
export function FilterField({ label, value, options, onChoose, onFocus }: FilterFieldProps) {
  const [text, setText] = useState(value);
  useEffect(() => {
    setText(value);
  }, [value]);
  const choose = (next: string) => {
    setText(next);
    if (next !== value) onChoose(next);
  };
  return (
    <Autocomplete
      className={toolbar.field}
      aria-label={label}
      placeholder={label}
      data={[...options]}
      limit={OPTIONS_SHOWN}
      value={text}
      onChange={setText}
      onOptionSubmit={choose}
      onFocus={onFocus}
      onBlur={() => choose(text.trim())}
      onKeyDown={({ key }) => {
        if (key === 'Enter') choose(text.trim());
      }}
      comboboxProps={{ width: 'max-content', position: 'bottom-start' }}
      renderOption={({ option }) => <Line text={option.value} />}
      rightSection={
        text !== '' && (
          <ActionIcon size={22} aria-label={`Clear ${label}`} onClick={() => choose('')}>
            <Icon name="close" size={13} />
          </ActionIcon>
        )
      }
    />
  );
}
