/** The version of Redis whose behaviour ours is: clients choose by it what they may ask. */
export const REDIS_VERSION = "7.0.15";
