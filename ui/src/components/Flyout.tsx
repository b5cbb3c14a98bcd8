/** A button, and a small panel below it that goes when one clicks elsewhere or presses Escape. */

import { type ReactNode, useEffect, useId, useRef, useState } from 'react';

import { Button, IconButton } from './Button';
import styles from './Flyout.module.css';
import type { IconName } from './Icon';

interface FlyoutProps {
  icon: IconName;
  label: string;
  brief?: boolean; // the icon alone
  align?: 'start' | 'end';
  testId?: string;
  children: ReactNode;
}

export function Flyout({ icon, label, brief = false, align = 'end', testId, children }: FlyoutProps) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const panel = useId();
  useEffect(() => {
    if (!open) return;
    const elsewhere = ({ target }: Event) => {
      if (target instanceof Node && !box.current?.contains(target)) setOpen(false);
    };
    document.addEventListener('pointerdown', elsewhere);
    document.addEventListener('focusin', elsewhere);
    return () => {
      document.removeEventListener('pointerdown', elsewhere);
      document.removeEventListener('focusin', elsewhere);
    };
  }, [open]);
  const button = {
    icon,
    'aria-expanded': open,
    'aria-controls': panel,
    onClick: () => setOpen(!open),
    'data-testid': testId,
  };
  return (
    <div
      className={styles.flyout}
      ref={box}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || !open) return;
        event.preventDefault(); // the page's own Escape closes something else
        setOpen(false);
        box.current?.querySelector('button')?.focus();
      }}
    >
      {brief ? <IconButton {...button} label={label} /> : <Button {...button} look="quiet">{label}</Button>}
      <div className={styles.panel} id={panel} data-align={align} hidden={!open} role="region" aria-label={label}>
        {open && children}
      </div>
    </div>
  );
}
