// Values that describe protocols are shorter for the dictionary, and stay readable for as long as there are archives.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "columns/packed.h"
#include "columns/protocol_dictionary.h"

namespace dicube::columns {
namespace {

// As Siemens' MR scanners describe what they do.
std::string protocol() {
  std::mt19937 random(11);
  std::string text = "### ASCCONV BEGIN ###\n";
  const auto assign = [&](const std::string& name) {
    text += name + "\t = \t" + std::to_string(random() % 1000) + "." + std::to_string(random() % 1000) + "\n";
  };
  for (const char* axis : {"X", "Y", "Z"})
    for (const char* what : {"lOffset", "lDelay", "flSensitivity"})
      assign(std::string("sGRADSPEC.asGPAData[0].") + what + axis);
  for (int slice = 0; slice < 4; ++slice)
    for (const char* what : {"sPosition.dSag", "sPosition.dCor", "sPosition.dTra", "sNormal.dTra", "dThickness",
                             "dPhaseFOV", "dReadoutFOV", "dInPlaneRot"})
      assign("sSliceArray.asSlice[" + std::to_string(slice) + "]." + what);
  for (const char* name : {"sKSpace.lBaseResolution", "sKSpace.lPhaseEncodingLines", "sKSpace.dPhaseResolution",
                           "sTXSPEC.asNucleusInfo[0].lFrequency", "sTXSPEC.asNucleusInfo[0].flReferenceAmplitude",
                           "sPhysioImaging.sPhysioResp.lRespGatePhase", "sAdjData.sAdjVolume.dThickness",
                           "sPrepPulses.ucFatSat", "sPat.lAccelFactPE", "sPat.lRefLinesPE", "lTotalScanTimeSec"})
    assign(name);
  return text;
}

Bytes packed(std::string_view text) {
  ByteWriter out;
  put_packed(as_bytes(text), out);
  return out.take();
}

Result<Bytes> unpacked(ByteSpan stored) {
  ByteReader in(stored, "a protocol");
  return get_packed(in, 1 << 20);
}

TEST(AProtocol, TakesAThirdLessThanWithoutTheDictionary) {
  const std::string text = protocol();
  const Bytes stored = packed(text);
  EXPECT_LT(3 * stored.size(), 2 * zstd_compress(as_bytes(text), 19).size());
  EXPECT_EQ(as_text(unpacked(stored).value()), text);
}

TEST(AProtocol, ThatWasPackedOnceIsReadForEver) {
  const std::string path = DICUBE_SOURCE_DIR "/tests/golden/protocol.packed";
  if (std::getenv("DICUBE_WRITE_GOLDEN") != nullptr) {
    const Bytes stored = packed(protocol());
    std::ofstream(path, std::ios::binary) << as_text(stored);
  }
  std::ifstream file(path, std::ios::binary);
  const std::string stored((std::istreambuf_iterator<char>(file)), {});
  const auto text = unpacked(as_bytes(stored));
  ASSERT_TRUE(text.has_value()) << describe(text.error());
  EXPECT_EQ(as_text(*text), protocol());
}

TEST(AProtocol, ThatNeedsAnotherDictionaryIsRefusedAsUnsupported) {
  Bytes stored = packed(protocol());
  const std::array<std::byte, 2> identifier = {std::byte{kProtocolDictionary & 255},
                                               std::byte{kProtocolDictionary >> 8}};
  const auto at = std::search(stored.begin(), stored.begin() + 16, identifier.begin(), identifier.end());
  ASSERT_NE(at, stored.begin() + 16);
  *at ^= std::byte{1};
  const auto text = unpacked(stored);
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().error_class, ErrorClass::kUnsupported) << describe(text.error());
}

TEST(AProtocol, ThatIsChangedAnywhereIsRefusedOrAnother) {
  const Bytes stored = packed(protocol());
  for (std::size_t i = 0; i < stored.size(); ++i)
    for (unsigned bit = 0; bit < 8; ++bit) {
      Bytes changed = stored;
      changed[i] ^= std::byte(1U << bit);
      (void)unpacked(changed);  // the sanitizers watch
      (void)unpacked(ByteSpan(stored).first(i));
    }
}

TEST(OtherBytes, DoWithoutTheDictionary) {
  EXPECT_FALSE(speak_of_protocols(Bytes(100'000)));
  EXPECT_FALSE(speak_of_protocols(as_bytes(std::string("ASCCONV"))));
  EXPECT_FALSE(speak_of_protocols(as_bytes("ASCCONV" + std::string(std::size_t{2} << 20, ' '))));
}

}  // namespace
}  // namespace dicube::columns
