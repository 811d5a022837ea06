#!/usr/bin/env node
require('../dist/program/begin.cjs');
