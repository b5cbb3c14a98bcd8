import { IconButton } from '../Button';
import type { IconName } from '../Icon';
import { type Theme, choose, useTheme } from '../theme';

interface Look {
  icon: IconName;
  word: string;
  next: Theme;
}

const LOOKS: Record<Theme, Look> = {
  auto: { icon: 'system', word: 'as the system', next: 'light' },
  light: { icon: 'sun', word: 'light', next: 'dark' },
  dark: { icon: 'moon', word: 'dark', next: 'auto' },
};

/** One button for three themes: as the system, light, dark. */
export function ThemeButton() {
  const theme = useTheme();
  const { icon, word, next } = LOOKS[theme];
  return (
    <IconButton
      icon={icon}
      label={`Theme: ${word}. Change to ${LOOKS[next].word}.`}
      onClick={() => choose(next)}
      data-testid="theme"
      data-value={theme}
    />
  );
}
