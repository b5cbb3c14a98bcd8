import { ActionIcon, type MantineColorScheme, useMantineColorScheme } from '@mantine/core';

import { Icon, type IconName } from '../Icon';

interface Theme {
  icon: IconName;
  word: string;
  next: MantineColorScheme;
}

const THEMES: Record<MantineColorScheme, Theme> = {
  auto: { icon: 'system', word: 'as the system', next: 'light' },
  light: { icon: 'sun', word: 'light', next: 'dark' },
  dark: { icon: 'moon', word: 'dark', next: 'auto' },
};

/** One button for three themes: as the system, light, dark. */
export function ThemeButton() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { icon, word, next } = THEMES[colorScheme];
  const label = `Theme: ${word}. Change to ${THEMES[next].word}.`;
  return (
    <ActionIcon
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(next)}
      data-testid="theme"
      data-value={colorScheme}
    >
      <Icon name={icon} />
    </ActionIcon>
  );
}
