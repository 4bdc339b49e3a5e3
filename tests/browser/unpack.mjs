// Unpacks the Chromium of @sparticuz/chromium and prints where its binary and libraries are, as JSON.
import chromium from "@sparticuz/chromium";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const binary = await chromium.executablePath();
const libraries = path.join(tmpdir(), "al2023", "lib");
console.log(JSON.stringify({ binary, libraries: existsSync(libraries) ? libraries : null, args: chromium.args }));
