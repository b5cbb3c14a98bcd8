import { type MantineColorsTuple, createTheme } from '@mantine/core';

// Mantine needs ten shades to exist; what it draws takes its colours from tokens.css.
const shades: MantineColorsTuple = [
  '#f4f9ea', '#e8f2d6', '#d2e6ae', '#bbe973', '#a6d94f',
  '#83b82f', '#639618', '#47750b', '#395f07', '#2a4704',
];

export const theme = createTheme({
  colors: { accent: shades },
  primaryColor: 'accent',
  primaryShade: { light: 7, dark: 4 },
  autoContrast: false,
  cursorType: 'pointer',
  defaultRadius: 'sm',
  respectReducedMotion: true,
  components: {
    Button: { defaultProps: { size: 'xs', variant: 'default' } },
    ActionIcon: { defaultProps: { size: 30, variant: 'subtle', color: 'gray' } },
    TextInput: { defaultProps: { size: 'xs' } },
    Autocomplete: { defaultProps: { size: 'xs', maxDropdownHeight: 300 } },
  },
});
