// The standing of a run, in words.
export const STANDING = {
  running: { name: "running", short: "running", text: "The run is in progress." },
  ended: { name: "ended", short: "ended", text: "The run has ended." },
  "driver lost": { name: "lost", short: "driver lost", text: "The driver has ended without a goodbye: it was killed, or its machine went down. What is shown is what was recorded until then." },
  "not ended, or driver lost": { name: "unknown", short: "not known", text: "The driver is on another host, and has recorded no end: it is running, or was lost." },
};
