pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
        // What `handlens android build --repository android_bridge/sample/repository` wrote.
        maven { url = uri("repository") }
    }
}

rootProject.name = "handlens-sample"
include(":app")
