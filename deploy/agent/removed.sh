#!/bin/sh
# $1: deb says remove or upgrade, rpm says 0 or 1. An upgrade stops nothing here.
if [ "$1" = remove ] || [ "$1" = 0 ]; then
  if [ -d /run/systemd/system ]; then
    systemctl disable --now ebb-agent.service
  fi
fi
