/** A cut stalk of celery: crescents within one another, and a C within a C. */
export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <g fill="none" strokeWidth="3" strokeLinecap="round">
        <path d="M19.6 5.3A9.6 9.6 0 1 0 19.6 18.7" stroke="var(--accent)" />
        <path d="M15.5 8.5A4.9 4.9 0 1 0 15.5 15.5" stroke="var(--ink)" />
      </g>
    </svg>
  );
}
