/** The thread: a job in, its answer out, one after the other. */
import { parentPort } from "node:worker_threads";
import { doFieldJob, type FieldJob } from "./field-job.ts";

parentPort?.on("message", (job: FieldJob) => parentPort?.postMessage(doFieldJob(job)));
