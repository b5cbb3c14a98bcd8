/** Three stalks under a lens. */
export function Logo({ size = 22 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d="M7.4 20v-7.6c0-1.8-1-3-2.5-3.9M12 20V8.4M16.6 20v-7.6c0-1.8 1-3 2.5-3.9"
        fill="none"
        stroke="var(--accent)"
        strokeWidth="2.3"
        strokeLinecap="round"
      />
      <circle cx="12" cy="5.6" r="2.7" fill="var(--ink)" />
    </svg>
  );
}
