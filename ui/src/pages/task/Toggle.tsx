import styles from './task.module.css';

interface ToggleProps {
  of: string;
  on: boolean;
  onToggle: (on: boolean) => void;
}

/** Between what we made of a text and the text itself. */
export function Toggle({ of, on, onToggle }: ToggleProps) {
  return (
    <button type="button" className={styles.toggle} aria-pressed={on} aria-label={`Raw ${of}`} onClick={() => onToggle(!on)}>
      Raw
    </button>
  );
}
