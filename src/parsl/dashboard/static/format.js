// Numbers, durations and moments as text, each with its unit.

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" });

export const count = (number) => WHOLE.format(number);

export function counted(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** Three digits at most: 1,230 / 12.3 / 0.0123. */
export function brief(number) {
  if (number == null) return "–";
  if (Math.abs(number) >= 100) return count(number);
  return String(Number(number.toPrecision(3)));
}

export const rate = (perSecond) => `${brief(perSecond)} /s`;

export function duration(seconds) {
  if (seconds == null || Number.isNaN(seconds)) return "–";
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 0.0995) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (seconds < 59.95) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function bytes(number) {
  if (!number) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let place = 0;
  while (number >= 999.5 && place < units.length - 1) {
    number /= 1000;
    place += 1;
  }
  return `${Number(number.toPrecision(3))} ${units[place]}`;
}

export const percent = (share) => (share == null ? "–" : `${Math.round(share * 100)} %`);

export const clock = (seconds) => (seconds ? CLOCK.format(seconds * 1000) : "–");

export const moment = (seconds) => (seconds ? `${DAY.format(seconds * 1000)} ${clock(seconds)}` : "–");
