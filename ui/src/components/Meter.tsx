import styles from './Meter.module.css';

interface MeterProps {
  value: number;
  max: number;
  tone?: string; // a class that sets --tone
}

/** A thin bar beside the number it repeats; for the eye only. */
export function Meter({ value, max, tone = '' }: MeterProps) {
  const part = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  return (
    <span className={`${styles.meter} ${tone}`} aria-hidden="true">
      <span className={styles.fill} style={{ width: `${100 * part}%` }} />
    </span>
  );
}
