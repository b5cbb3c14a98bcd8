/** Things that are pressed. A link that looks like one is not a button. */

import type { ComponentProps, ReactNode } from 'react';

import styles from './Button.module.css';
import { Icon, type IconName } from './Icon';

interface ButtonProps extends Omit<ComponentProps<'button'>, 'type'> {
  icon?: IconName;
  look?: 'plain' | 'accent' | 'quiet'; // accent: the one thing to do here
  children: ReactNode;
}

export function Button({ icon, look = 'plain', className = '', children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`${styles.button} ${className}`} data-look={look} {...rest}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ComponentProps<'button'>, 'type' | 'children' | 'title'> {
  icon: IconName;
  label: string; // for screen readers, and as the title
  size?: 'sm' | 'md';
}

export function IconButton({ icon, label, size = 'md', className = '', ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`${styles.icon} ${className}`}
      data-size={size}
      aria-label={label}
      title={label}
      {...rest}
    >
      <Icon name={icon} size={size === 'sm' ? 14 : 16} />
    </button>
  );
}

/** A key as it stands on a keyboard. */
export function Key({ children }: { children: string }) {
  return <kbd className={styles.key}>{children}</kbd>;
}
