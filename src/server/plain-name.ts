/** Names of clusters and shards travel in headers, frames and file names, so they are short and plain. */
export const PLAIN_NAME: RegExp = /^[A-Za-z0-9_-]{1,64}$/;

export const PLAIN_NAME_CLAIM = "must be 1 to 64 letters, digits, - or _";
