#!/bin/sh
# The service is not started: it has nothing to do before its configuration is written.
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart ebb-agent.service
fi
