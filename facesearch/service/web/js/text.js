// Numbers, dates and lists in words.

const NUMBERS = new Intl.NumberFormat("en");
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric" });
const MONTH = new Intl.DateTimeFormat("en-GB", { month: "long", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "short" });

/** 12345 as "12,345". */
export const number = (value) => NUMBERS.format(value);

/** "1 face", "12 faces"; the plural is given where it is not the singular and "s". */
export const count = (value, singular, plural = `${singular}s`) =>
  `${number(value)} ${value === 1 ? singular : plural}`;

/** A share in [0, 1] as people say it: never quite 0% or 100%. */
export const percent = (share) => `${Math.min(99, Math.max(1, Math.round(share * 100)))}%`;

// A photo's time is a clock on a wall: it has no zone, and must not move with the reader's.
const wallClock = (text) => {
  const parts = /^(\d{4})-(\d\d)(?:-(\d\d))?/.exec(text || "");
  return parts && new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3] || 1));
};

/** The day of a capture time, "" if there is none. */
export const day = (text) => {
  const date = wallClock(text);
  return date ? DAY.format(date) : "";
};

/** The month of "2024-06", or of a capture time; "" if there is none. */
export const month = (text) => {
  const date = wallClock(text);
  return date ? MONTH.format(date) : "";
};

/** "1 June 2024 to 4 June 2024"; "" if no time is known. */
export const period = (first, last) => {
  const [one, other] = [day(first), day(last)];
  return !one || one === other ? one || other : `${one} to ${other}`;
};

/** A place in a video: 67 as "1:07". */
const clock = (seconds) => {
  const [hours, minutes, rest] = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  const two = (value) => String(value).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
};

/** When a face is seen in a video, "0:07 to 0:12"; "" in a photo. */
export const seen = ({ seconds }) => (seconds ? `${clock(seconds.start)} to ${clock(seconds.end)}` : "");

/** When something happened, by the reader's clock. */
export const moment = (text) => (text ? MOMENT.format(new Date(text)) : "");

/** "Ada", "Ada and Ben", "Ada, Ben and Cleo". */
export const listed = (words) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

/** The file name at the end of a path. */
export const fileName = (path) => path.split("/").at(-1);

/** The people asked for by "Ada and Ben", "Ada & Ben" or "Ada, Ben". */
export const asked = (query) =>
  query
    .split(/\s+and\s+|[,&+]/i)
    .map((part) => part.trim())
    .filter(Boolean);
