/** What somebody may do, in a word. */

import type { Role } from '~/api/client';
import type { Tone } from '~/lib/states';

import styles from './RoleChip.module.css';
import { toneClass } from './State';

const TONES: Record<Role, Tone> = { viewer: 'waiting', operator: 'running', admin: 'revoked' };

export function RoleChip({ role }: { role: Role }) {
  return <WordChip word={role} tone={TONES[role]} />;
}

export function WordChip({ word, tone }: { word: string; tone: Tone }) {
  return <span className={`${styles.chip} ${toneClass(tone)}`}>{word}</span>;
}
