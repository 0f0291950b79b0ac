// What is known of the providers of models: where they are, how they take their key, and what
// coding agents ask of them. Pure.
//
// The rules are narrow: what makes an answer, counts tokens or lists models. What an account holds
// besides (files, stored answers, batches, keys) is not for agents.
#pragma once

#include "config/egress_config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace relay::config {

// Each with its name, url, place of the credential and allow rules.
const std::vector<UpstreamConfig>& upstream_presets();

// Null: there is none of that name.
const UpstreamConfig* find_upstream_preset(std::string_view name);

// "anthropic, openai, ..."
std::string upstream_preset_names();

}  // namespace relay::config
